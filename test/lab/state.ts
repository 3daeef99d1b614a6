import {existsSync, readFileSync, readdirSync, renameSync, writeFileSync} from 'node:fs';
import {z} from 'zod';
import type {LabPaths} from './paths.ts';
import {stateDirectory} from './paths.ts';
import {isRunning, processIdentitySchema} from './processes.ts';

const labStateSchema = z.object({
  /** The process on the machine that everything else of the lab hangs on; also the forwarder of the API server. */
  supervisor: processIdentitySchema,
  /** The first process of the lab's namespaces, by its ID on the machine. */
  init: processIdentitySchema,
  /** The forwarder's port on 127.0.0.1. */
  port: z.int(),
});
export type LabState = z.infer<typeof labStateSchema>;

const nodeRecordSchema = z.object({
  name: z.string(),
  /** From 1; addresses are made of it. */
  index: z.int().positive(),
  machineID: z.string(),
  labels: z.record(z.string(), z.string()),
  /** The node's own init, by its ID in the lab's PID namespace; undefined while the node is ended. */
  pid: z.int().optional(),
});
export type NodeRecord = z.infer<typeof nodeRecordSchema>;

/** Undefined where no lab of this name was started, or it has ended. */
export function readLiveState(paths: LabPaths): LabState | undefined {
  if (!existsSync(paths.at('state.json'))) return undefined;
  const parsed = labStateSchema.safeParse(readJSON(paths.at('state.json')));
  if (!parsed.success || !isRunning(parsed.data.init) || !isRunning(parsed.data.supervisor)) return undefined;
  return parsed.data;
}

export function writeState(paths: LabPaths, state: LabState): void {
  writeWhole(paths.at('state.json'), state);
}

/** Every node that the lab has disks of, ended ones included, by index. */
export function readNodes(paths: LabPaths): NodeRecord[] {
  if (!existsSync(paths.at('nodes'))) return [];
  return readdirSync(paths.at('nodes'))
    .filter((name) => existsSync(paths.node(name, 'node.json')))
    .map((name) => nodeRecordSchema.parse(readJSON(paths.node(name, 'node.json'))))
    .sort((a, b) => a.index - b.index);
}

export function writeNode(paths: LabPaths, node: NodeRecord): void {
  writeWhole(paths.node(node.name, 'node.json'), node);
}

/** The names of all labs that left something behind, running or not. */
export function labNames(): string[] {
  if (!existsSync(stateDirectory())) return [];
  return readdirSync(stateDirectory()).filter((name) => existsSync(`${stateDirectory()}/${name}/bin`));
}

function readJSON(file: string): unknown {
  return JSON.parse(readFileSync(file, 'utf8'));
}

function writeWhole(file: string, content: object): void {
  writeFileSync(`${file}.new`, `${JSON.stringify(content, undefined, 2)}\n`);
  renameSync(`${file}.new`, file);
}

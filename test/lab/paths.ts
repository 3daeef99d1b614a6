import {labsCgroup} from './cgroups.ts';
import {homedir} from 'node:os';
import {join} from 'node:path';

/** The checkout that this file belongs to. */
export const projectDirectory = join(import.meta.dirname, '..', '..');

/** Where the lab's Go modules are. */
export const goModulesDirectory = join(import.meta.dirname, 'go');

/** What can be built again: binaries and images. */
export function cacheDirectory(): string {
  return join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'quorum-recovery', 'lab');
}

/** What belongs to running labs: one directory each, and the containerd template, which must be on the same file system as they are. */
export function stateDirectory(): string {
  return join(process.env['XDG_STATE_HOME'] ?? join(homedir(), '.local', 'state'), 'quorum-recovery-lab');
}

/** The paths of one lab, as the machine sees them. */
export class LabPaths {
  readonly name: string;
  readonly root: string;

  constructor(name: string) {
    if (!/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(name)) {
      throw new Error(`"${name}" cannot be a lab's name: use up to 32 lower-case letters, digits and dashes`);
    }
    this.name = name;
    this.root = join(stateDirectory(), name);
  }

  /** Any path below the lab's directory. */
  at(...parts: string[]): string {
    return join(this.root, ...parts);
  }

  node(name: string, ...parts: string[]): string {
    return join(this.root, 'nodes', name, ...parts);
  }

  /** For whoever is outside: the API server through the forwarder on loopback. */
  get kubeconfig(): string {
    return this.at('kubeconfig');
  }

  /** For whoever is in the lab's network namespace. */
  get insideKubeconfig(): string {
    return this.at('inside.kubeconfig');
  }

  /** kubectl, helm and the other commands. */
  get bin(): string {
    return this.at('bin');
  }

  /** The lab's cgroup, relative to each hierarchy's root. */
  get cgroup(): string {
    return `${labsCgroup}/${this.name}`;
  }
}

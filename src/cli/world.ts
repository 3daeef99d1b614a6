import type {Api} from './kube/api.ts';
import type {Terminal} from './terminal.ts';

export type OptionValue = string | boolean | string[];

/** What the command line says, taken apart. */
export interface Invocation {
  positionals: string[];
  options: Record<string, OptionValue | undefined>;
}

export interface Session {
  api: Api;
  /** Of -n, else of the kubeconfig's context. */
  namespace: string;
}

/** Everything outside of a command; injected in tests. */
export interface World {
  terminal: Terminal;
  now: () => number;
  sleep: (ms: number) => Promise<void>;
  /** Connects at the first call; commands that need no cluster never do. */
  session: () => Promise<Session>;
}

/** A command: returns its exit code. */
export type Command = (invocation: Invocation, world: World) => Promise<number>;

export const flag = ({options}: Invocation, name: string): boolean => options[name] === true;

export function text({options}: Invocation, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' ? value : undefined;
}

export function texts({options}: Invocation, name: string): string[] {
  const value = options[name];
  return Array.isArray(value) ? value : typeof value === 'string' ? [value] : [];
}

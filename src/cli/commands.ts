import type {Options} from './arguments.ts';
import type {Command} from './world.ts';

export interface CommandEntry {
  summary: string;
  /** What stands behind the command's name in the first line of its help. */
  usage: string;
  /** More than the summary, in lines. */
  about?: readonly string[];
  options: Options;
  /** What the positional words name, for completion and for the count of them. */
  takes: readonly ('resource' | 'statefulset' | 'shell' | 'command')[];
  load: () => Promise<{run: Command}>;
}

const output = {type: 'string', short: 'o', value: 'json|yaml', summary: 'the object as it is', values: ['json', 'yaml']} as const;
const yes = {type: 'boolean', short: 'y', summary: 'ask nothing; for scripts'} as const;
const timeout = {type: 'string', value: 'DURATION', summary: 'give up after that long, e.g. 30m; default: never'} as const;

/** The commands in the order of the help. Each is loaded when it runs, so that the help costs nothing. */
export const commands = {
  status: {
    summary: 'what a recovery does, and what it waits for', usage: '[NAME] [-w]', takes: ['resource'],
    about: ['Without NAME: the only one of the namespace, or a list of all.'],
    options: {
      'watch': {type: 'boolean', short: 'w', summary: 'look again and again until you end it'},
      'all-namespaces': {type: 'boolean', short: 'A', summary: 'a list of all namespaces'},
      'output': output,
    },
    load: async () => await import('./commands/status.ts'),
  },
  plan: {
    summary: 'the plan as a person reads it; its exit code tells where it stands', usage: '[NAME]', takes: ['resource'],
    about: ['Exit codes: 0 no recovery is needed or it is over, 10 the plan waits for approval, 11 it is being carried out,', '12 Blocked or Stalled, 13 it is being made.'],
    options: {output}, load: async () => await import('./commands/plan.ts'),
  },
  approve: {
    summary: 'approves the plan that is shown', usage: '[NAME]', takes: ['resource'],
    options: {
      yes, 'hash': {type: 'string', value: 'HASH', summary: 'only this plan: refused where the resource has another one by now'},
    },
    load: async () => await import('./commands/approve.ts'),
  },
  recover: {
    summary: 'starts a recovery of a StatefulSet', usage: 'STATEFULSET', takes: ['statefulset'],
    about: [
      'Makes the QuorumRecovery, or asks an existing one for another run. The operator decides what has to be done: where the quorum',
      'holds nothing is, and where it cannot prove enough it says so and touches nothing.',
    ],
    options: {
      yes,
      'name': {type: 'string', value: 'NAME', summary: 'of a resource that is made; default: that of the StatefulSet'},
      'approval': {type: 'string', value: 'HOW', summary: 'Required: stop with the plan until it is approved', values: ['Automatic', 'Required']},
      'strategy': {type: 'string', value: 'STRATEGY', summary: 'Restart: bring pods up again; ReplaceMembers: while a quorum serves, replace who is gone for good', values: ['Auto', 'Restart', 'ForceNewCluster', 'ReplaceMembers']},
      'survivor': {type: 'string', value: 'POD', summary: 'the member whose data counts; default: the best'},
      'lost': {type: 'string', value: 'POD[=MEMBERID]', summary: 'your word that this member does not run any more; again for another one', multiple: true},
      'tls-secret': {type: 'string', value: 'SECRET', summary: 'client certificate for etcd: ca.crt, tls.crt, tls.key'},
      'auth-secret': {type: 'string', value: 'SECRET', summary: 'etcd user of the root role: username, password'},
      'canary': {type: 'string', value: 'KEY', summary: 'a key that must be there afterwards; again for another one', multiple: true},
      'dry-run': {type: 'boolean', summary: 'print the resource as YAML and change nothing'},
      'wait': {type: 'boolean', summary: 'stay until the end, as the command wait does'},
      timeout,
    },
    load: async () => await import('./commands/recover.ts'),
  },
  wait: {
    summary: 'stays until the run is over; its exit code tells how it ended', usage: '[NAME]', takes: ['resource'],
    about: ['Exit codes: 0 Recovered or NotNeeded, 20 Degraded, 21 Released, 22 Failed, 23 timed out; with --stop also 10 and 12.'],
    options: {timeout, 'stop': {type: 'boolean', summary: 'also return where a person is needed: 10 awaits approval, 12 Blocked or Stalled'}},
    load: async () => await import('./commands/wait.ts'),
  },
  pause: {
    summary: 'no run begins; one that has forced nothing yet lets everything go', usage: '[NAME]', takes: ['resource'],
    options: {yes}, load: async () => ({run: (await import('./commands/pause.ts')).pause}),
  },
  resume: {
    summary: 'takes a pause back', usage: '[NAME]', takes: ['resource'],
    options: {yes}, load: async () => ({run: (await import('./commands/pause.ts')).resume}),
  },
  'move-leader': {
    summary: 'has another member lead: leadership is moved there, and kept there', usage: '[NAME] --to POD', takes: ['resource'],
    about: [
      'Sets spec.preferredLeader. The operator moves leadership while the cluster is whole and no run is in flight, to a member that is not',
      'behind, once a minute at most, and moves it back when it goes elsewhere: until --to none takes the preference away.',
    ],
    options: {
      'to': {type: 'string', value: 'POD', summary: 'a pod of the StatefulSet; Previous: after a recovery, the one that led before; none: no preference'},
      'wait': {type: 'boolean', summary: 'stay until it leads'},
      timeout,
    },
    load: async () => await import('./commands/move-leader.ts'),
  },
  release: {
    summary: 'the way out where the operator is dead: lets held pods go', usage: '[NAME]', takes: ['resource'],
    about: [
      'For an operator that cannot be brought back. Where one runs, use pause or delete the resource. It needs more rights than a',
      'user of the resource has: quorumrecoveries/status and pods. Refused while the claim of a held pod is empty or was made anew,',
      'and once a force may have begun; each can be confirmed by itself.',
    ],
    options: {
      yes,
      'dry-run': {type: 'boolean', summary: 'say what would be done, and change nothing'},
      'operator-is-dead': {type: 'boolean', summary: 'your word where it cannot be told whether an operator runs'},
      'start-empty': {type: 'string', value: 'POD', summary: 'let this pod start although its claim is empty or was made anew; again for another one', multiple: true},
      'after-force': {type: 'boolean', summary: 'the force may have begun: let the survivor alone start, and leave the others held'},
    },
    load: async () => await import('./commands/release.ts'),
  },
  report: {
    summary: 'the report of a run: what happened when, what was kept, what was lost', usage: '[NAME] [-o markdown|html|json]', takes: ['resource'],
    options: {
      'run': {type: 'string', value: 'ID', summary: 'an earlier run; default: the last one'},
      'output': {type: 'string', short: 'o', value: 'FORM', summary: 'markdown (default), html (one page, nothing else needed), json', values: ['markdown', 'html', 'json']},
      'file': {type: 'string', short: 'f', value: 'FILE', summary: 'write it there'},
    },
    load: async () => await import('./commands/report.ts'),
  },
  doctor: {
    summary: 'is this cluster ready for a recovery?', usage: '[STATEFULSET]', takes: ['statefulset'],
    about: ['Exit codes: 0 nothing would stop a recovery, 30 something would. Changes nothing.'],
    options: {
      'operator-namespace': {type: 'string', value: 'NAMESPACE', summary: 'where the operator runs; default: looked for'},
      'output': {type: 'string', short: 'o', value: 'json', summary: 'the findings as data', values: ['json']},
    },
    load: async () => await import('./commands/doctor.ts'),
  },
  completion: {
    summary: 'prints what your shell needs to complete these commands', usage: 'bash|zsh|fish', takes: ['shell'],
    options: {}, load: async () => await import('./commands/completion.ts'),
  },
  version: {
    summary: 'of the plugin, and of the operator where it can be seen', usage: '', takes: [],
    options: {'client': {type: 'boolean', summary: 'the plugin\'s only; asks no cluster'}}, load: async () => await import('./commands/version.ts'),
  },
  help: {
    summary: 'this, or what one command does', usage: '[COMMAND]', takes: ['command'],
    options: {}, load: async () => await import('./commands/help.ts'),
  },
} as const satisfies Record<string, CommandEntry>;

export type CommandName = keyof typeof commands;

export const isCommand = (name: string): name is CommandName => Object.hasOwn(commands, name);

export const commandOf = (name: CommandName): CommandEntry => commands[name];

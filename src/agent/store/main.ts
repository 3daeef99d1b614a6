import {failed, isStoreCommand} from '../run.ts';
import type {Outcome} from '../run.ts';
import {Refusal} from '../failure.ts';
import type {AgentSuccessReport, StoreCommand} from '../report.ts';
import {parseStoreArguments} from './arguments.ts';
import type {StoreArguments} from './arguments.ts';
import {storeFetch} from './fetch.ts';
import {storeList} from './list.ts';
import {openStore} from './open.ts';
import {storeSave} from './save.ts';
import type {SnapshotStore} from './store.ts';

type Environment = Readonly<Record<string, string | undefined>>;

const commands: Record<StoreCommand, (args: StoreArguments, store: SnapshotStore, env: Environment) => Promise<AgentSuccessReport>> = {
  'store-list': storeList,
  'store-fetch': async (args, store) => await storeFetch(args, store, {now: Date.now}),
  'store-save': async (args, store, env) => await storeSave(args, store, {now: Date.now, env}),
};

/** Runs one command on a store of snapshots, to its report; it does not throw. */
export async function runStore(argv: readonly string[], env: Environment): Promise<Outcome> {
  const [command, ...rest] = argv;
  try {
    if (!isStoreCommand(command)) throw new Refusal('BadUsage', `${command ?? ''} is no command of this entry.`);
    return {report: await commands[command](parseStoreArguments(command, rest), await openStore(env), env), exitCode: 0};
  } catch (error) {
    return failed(argv, error);
  }
}

import type {StoreListReport} from '../report.ts';
import type {StoreArguments} from './arguments.ts';
import {entriesOf, storedSnapshot} from './records.ts';
import type {SnapshotStore} from './store.ts';

/** Which snapshots are in the store. None of them is read, only their records. */
export async function storeList(args: StoreArguments, store: SnapshotStore): Promise<StoreListReport> {
  const entries = await entriesOf(store);
  return {ok: true, command: 'store-list', run: args.run, snapshots: entries.slice(0, args.limit ?? 10).map(storedSnapshot), total: entries.length};
}

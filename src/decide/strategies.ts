import type {Plan, QuorumRecoverySpec, Run} from '../api/types.ts';

/** What the common steps have to know of a strategy. */
export interface Behaviour {
  /** A person approves each plan of it, whatever the spec says: nobody's data goes on, or not all of it that can be had. */
  alwaysAsks: boolean;
  /** It works through any member that serves: `plan.survivor` is only the one that is asked now. */
  throughAny: boolean;
  /** No member of the old cluster goes on: a new cluster with an ID of its own is started on all claims at once. */
  startsAnew: boolean;
  /** What has happened once nothing is let go any more, after "after the". */
  committed: string;
  /** What has not happened before that, after "before". */
  uncommitted: string;
}

/** One line a strategy: a new one cannot be forgotten here. */
const behaviours: Record<Plan['strategy'], Behaviour> = {
  Restart: {alwaysAsks: false, throughAny: true, startsAnew: false, committed: 'restart had begun', uncommitted: 'anything was forced'},
  ForceNewCluster: {alwaysAsks: false, throughAny: false, startsAnew: false, committed: 'force had begun', uncommitted: 'anything was forced'},
  ReplaceMembers: {alwaysAsks: false, throughAny: true, startsAnew: false, committed: 'membership had been changed', uncommitted: 'the membership was changed'},
  RestoreSnapshot: {alwaysAsks: true, throughAny: true, startsAnew: true, committed: 'new cluster had been begun with', uncommitted: 'any data was set aside'},
  RebuildFromConfig: {alwaysAsks: true, throughAny: true, startsAnew: true, committed: 'new cluster had been begun with', uncommitted: 'any data was set aside'},
};

export const behaviourOf = (strategy: Plan['strategy']): Behaviour => behaviours[strategy];

/** That of the run's plan; undefined: there is none yet. */
export const behaviourIn = (run: Pick<Run, 'plan'> | undefined): Behaviour | undefined => (run?.plan === undefined ? undefined : behaviourOf(run.plan.strategy));

/** The run starts a new cluster on all claims at once. */
export const startsAnew = (run: Pick<Run, 'plan'> | undefined): boolean => behaviourIn(run)?.startsAnew === true;

/** A person has named a strategy that takes nothing of the members' data, each plan of which is approved: a word for a member gives up its disk too, wherever that is. */
export const givesUpDisks = ({strategy}: Pick<QuorumRecoverySpec, 'strategy'>): boolean => strategy !== 'Auto' && behaviourOf(strategy).startsAnew;

/** A snapshot may be restored where no data is left. */
export const asksRestore = ({strategy, snapshot, survivor}: QuorumRecoverySpec): boolean =>
  strategy === 'RestoreSnapshot' || (strategy === 'Auto' && snapshot !== undefined && survivor === undefined);

/** A cluster may be made anew from what stands outside it, where neither data nor a snapshot is left. */
export const asksRebuild = ({strategy, rebuild, survivor}: QuorumRecoverySpec): boolean =>
  strategy === 'RebuildFromConfig' || (strategy === 'Auto' && rebuild !== undefined && survivor === undefined);

/** A new cluster may be started where no data is left, not even one that tells who its members were. */
export const asksAnew = (spec: QuorumRecoverySpec): boolean => asksRestore(spec) || asksRebuild(spec);

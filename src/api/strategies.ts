import type {Plan} from './types.ts';

type Strategy = Plan['strategy'];

/** How a strategy is spoken of, wherever it is: in Events, in the question for approval, by the plugin and in its report. */
export interface StrategyWords {
  /** What a plan of it does. */
  does: (plan: Pick<Plan, 'survivor' | 'snapshot' | 'rebuild'>) => string;
  /** The plan with who it goes by. */
  named: (survivor: string) => string;
  /** What `plan.survivor` is called; undefined: it is nobody to be told of. */
  survivor: 'Survivor' | 'Through' | undefined;
  /** The report's title over why the plan is as it is. */
  why: string;
  /** What `dataLoss.survivorRevision` is the revision of. */
  revision: string;
  /** Why nothing can have been lost by it; undefined: that has to be looked at. */
  lossless: string | undefined;
}

/** For each strategy, so that a new one is not forgotten. */
const words: Record<Strategy, StrategyWords> = {
  Restart: {
    does: () => 'restart', named: () => 'Restart', survivor: undefined, why: 'Why these pods', revision: 'Highest revision that was known when the plan was made',
    lossless: 'nothing was forced, no disk was changed, and a quorum of members went on from its own data',
  },
  ReplaceMembers: {
    does: () => 'replace members', named: (survivor) => `ReplaceMembers through ${survivor}`, survivor: 'Through', why: 'Why these members', revision: 'Revision of the members that stayed, when the plan was made',
    lossless: 'members were replaced while a quorum served, and every acknowledged write is on it',
  },
  ForceNewCluster: {
    does: ({survivor}) => `start from ${survivor}`, named: (survivor) => `ForceNewCluster from ${survivor}`, survivor: 'Survivor', why: 'Why this survivor', revision: 'Revision that the new cluster started from', lossless: undefined,
  },
  RestoreSnapshot: {
    does: ({snapshot}) => `restore snapshot ${snapshot?.name ?? ''}`, named: () => 'RestoreSnapshot', survivor: undefined, why: 'Why a snapshot', revision: 'Revision of the snapshot', lossless: undefined,
  },
  RebuildFromConfig: {
    does: ({rebuild}) => `rebuild from ${(rebuild ?? []).map(({name}) => name).join(', ')}`, named: () => 'RebuildFromConfig', survivor: undefined, why: 'Why it is rebuilt', revision: 'Revision that the new cluster started from', lossless: undefined,
  },
};

/** RestoreSnapshot as what a force falls back to: from the own database of a member that cannot be forced. */
const ofSurvivor: StrategyWords = {
  does: ({snapshot}) => `restore the database of ${snapshot?.pod ?? ''}`, named: (survivor) => `RestoreSnapshot of the database of ${survivor}`, survivor: 'Survivor', why: 'Why its database, and no force',
  revision: 'Revision of the database that was restored', lossless: undefined,
};

/** The member whose own database a plan restores, because it cannot be forced; undefined: it does not. */
export const databaseOwner = (plan: Pick<Plan, 'snapshot'> | undefined): string | undefined => plan?.snapshot?.pod;

const isStrategy = (strategy: string): strategy is Strategy => strategy in words;

/**
 * @param strategy as a plan or the history names it. One of another version, or none, is spoken of as the force is.
 * @param owner of the database that is restored in the place of a force
 */
export const strategyWords = (strategy: string | undefined, owner?: string): StrategyWords => (owner !== undefined ? ofSurvivor : words[strategy !== undefined && isStrategy(strategy) ? strategy : 'ForceNewCluster']);

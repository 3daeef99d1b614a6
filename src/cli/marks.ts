import {group} from '../api/types.ts';

/** What the plugin leaves on a resource, for the report. Who may edit the resource can write it too: it is a note, and no proof. */
export const marks = {
  /** User, hash and time of the last approval. */
  approvedBy: `${group}/approved-by`,
  /** User and time of the last request. */
  requestedBy: `${group}/requested-by`,
  /** User and time of a release by hand. */
  releasedBy: `${group}/released-by`,
} as const;

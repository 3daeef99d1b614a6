/** How a pod template starts etcd, and the same template with some flags changed. */
export type {Launch, LaunchCarrier, LaunchOverride, LaunchProblem, LaunchResult, LaunchSource, PeerTLS} from './types.ts';
export {containerIsEtcd, findContainer} from './container.ts';
export {membershipHooks, withoutMembershipHooks} from './hooks.ts';
export type {MembershipHook} from './hooks.ts';
export {mountOf} from './mount.ts';
export type {Mount} from './mount.ts';
export {configAnnotation, overlayLaunch} from './overlay.ts';
export type {Overlay} from './overlay.ts';
export {podIPPlaceholder} from './placeholders.ts';
export {readLaunch} from './read.ts';

import {ApiError} from '../kubernetes/errors.ts';
import {kinds} from './kube/kinds.ts';

const pluralOf = (kind: string): string => {
  const [parent = '', subresource] = kind.split('/');
  const entry = Object.entries(kinds).find(([name]) => name === parent)?.[1];
  return `${entry?.plural ?? parent.toLowerCase()}${subresource === undefined ? '' : `/${subresource}`}`;
};

/** Whom to ask for the right to do it. */
function rightFor({verb, kind, object}: ApiError): string {
  const namespace = object.split('/')[0] ?? '';
  if (kind === 'QuorumRecovery') {
    return verb === 'get' || verb === 'list' ? 'The ClusterRole "view", bound in that namespace, has it' : 'The ClusterRole "edit", bound in that namespace, has it';
  }
  if (kind === 'QuorumRecovery/status') return 'Only an administrator of the cluster has it: the status is the operator\'s, and holds pods';
  const role = `${verb}-${pluralOf(kind).replace('/', '-')}`;
  const where = Object.entries(kinds).find(([name]) => name === kind)?.[1].namespaced === true && namespace !== '';
  return where
    ? `An administrator grants it: kubectl -n ${namespace} create role ${role} --verb=${verb} --resource=${pluralOf(kind)}, and a rolebinding of it to you`
    : `An administrator grants it: kubectl create clusterrole ${role} --verb=${verb} --resource=${pluralOf(kind)}, and a clusterrolebinding of it to you`;
}

function explainApi(error: ApiError): string {
  const {code, verb, kind, object} = error;
  const what = `${verb} ${pluralOf(kind)}${object === '' ? '' : ` (${object})`}`;
  if (code === 0) return `The API server does not answer: ${error.message}\nCheck the context (kubectl config current-context), --context and --kubeconfig.`;
  if (code === 401) return `The API server does not accept your credentials (${what}): they may have expired. Log in again, or use another --context.`;
  if (code === 403 && /denied request|admission/.test(error.message)) return `The API server refuses it: ${error.message}`;
  if (code === 403) return `You have no right to ${what}. ${rightFor(error)}.`;
  if (code === 404 && kind === 'QuorumRecovery' && (verb === 'list' || verb === 'create')) {
    return 'This cluster knows no QuorumRecovery: the operator is not installed (docs/usage/install.md), or this is another cluster than you think (--context).';
  }
  if (code === 409) return `Somebody changed it at the same moment: run the command again. (${error.message})`;
  return error.message;
}

/** What went wrong, and what to do. */
export function explain(error: unknown): string {
  if (error instanceof ApiError) return explainApi(error);
  return error instanceof Error ? error.message : String(error);
}

export const isForbiddenError = (error: unknown): boolean => error instanceof ApiError && error.code === 403;

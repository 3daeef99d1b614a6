/**
 * What runs of `@kubernetes/client-node`, and all of it: types come from the package itself. The image holds these few exports of it and what they need,
 * not its client for each API group (Dockerfile), which took twice the memory and was never called. The last line is for
 * `@dot-i/k8s-operator`, which loads the package by its name.
 */
export {HttpMethod, IsomorphicFetchHttpLibrary, KubeConfig, RequestContext, V1MicroTime, Watch} from '@kubernetes/client-node';
export {ApiextensionsV1Api, CoreV1Api, loadYaml} from '@kubernetes/client-node';

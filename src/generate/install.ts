import {join} from 'node:path';
import {isMap, parseAllDocuments, stringify} from 'yaml';
import type {Document} from 'yaml';
import {chart} from './files.ts';
import {runHelm} from './helm.ts';

/** Namespace of the plain manifests, and the one that the documentation installs the chart into. */
export const installNamespace = 'quorum-recovery-system';

const header = [
  '# Generated from charts/quorum-recovery-operator by `npm run generate`. Do not edit.',
  '# The operator with the chart\'s default values. Apply it with:',
  '#   kubectl apply --server-side -f deploy/install.yaml',
  '# kubectl delete -f deletes the CustomResourceDefinition too, and with it every QuorumRecovery: let recoveries end first.',
  '',
].join('\n');

/** The namespace takes only pods of the restricted standard: the operator's own is one. */
const namespace = {
  apiVersion: 'v1', kind: 'Namespace',
  metadata: {
    name: installNamespace,
    labels: {'app.kubernetes.io/name': 'quorum-recovery-operator', 'pod-security.kubernetes.io/enforce': 'restricted'},
  },
};

/** Marks that only mean something to helm. */
const helmOnly: [string, string][] = [['labels', 'helm.sh/chart'], ['labels', 'app.kubernetes.io/managed-by'], ['annotations', 'helm.sh/resource-policy']];

function withoutHelm(document: Document.Parsed): void {
  for (const path of [['metadata'], ['spec', 'template', 'metadata']]) {
    for (const [name, key] of helmOnly) {
      const map = document.getIn([...path, name]);
      if (!isMap(map)) continue;
      map.delete(key);
      if (map.items.length === 0) document.deleteIn([...path, name]);
    }
  }
  document.commentBefore = null;
  if (document.contents) document.contents.commentBefore = null;
}

/** The oldest Kubernetes that the chart takes: what comes out must not depend on the version that helm was built for. */
const kubeVersion = '1.30.0';

/** The chart with its default values as plain manifests, with their namespace. Throws with what helm said. */
export function renderInstall(helm: string, root: string): string {
  const rendered = runHelm(helm, ['template', 'quorum-recovery-operator', join(root, chart), '--namespace', installNamespace, '--kube-version', kubeVersion]);
  const documents = parseAllDocuments(rendered).filter((document) => document.contents !== null);
  for (const document of documents) withoutHelm(document);
  const texts = documents.map((document) => document.toString({lineWidth: 0, directives: false}));
  return [header + stringify(namespace), ...texts].join('---\n');
}

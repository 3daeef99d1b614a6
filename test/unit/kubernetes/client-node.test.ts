import assert from 'node:assert/strict';
import {readFileSync, readdirSync} from 'node:fs';
import {createRequire} from 'node:module';
import {dirname, join} from 'node:path';
import * as kept from '../../../src/kubernetes/client-node.ts';

/** What the event feed takes from the client, by the name that its compiler gave to the module. */
function takenByTheFeed(): string[] {
  const directory = dirname(createRequire(import.meta.url).resolve('@dot-i/k8s-operator'));
  const texts = readdirSync(directory).filter((name) => name.endsWith('.js')).map((name) => readFileSync(join(directory, name), 'utf8'));
  return texts.flatMap((text) => [...text.matchAll(/(\w+) = (?:__importStar\()?require\("@kubernetes\/client-node"\)/g)]
    .flatMap(([, module = '']) => [...text.matchAll(new RegExp(`\\b${module}\\.(\\w+)`, 'g'))].map(([whole, name = '']) => ({whole, name}))))
    .filter(({whole}) => whole !== 'k8s.io').map(({name}) => name);
}

describe('What the image keeps of the Kubernetes client', () => {
  it('has all that the event feed takes from it by name: what is missing there would be seen only when it is called', () => {
    const taken = takenByTheFeed();
    assert.ok(taken.includes('KubeConfig') && taken.includes('Watch'), `the reading of its modules is wrong: ${taken.join(', ')}`);
    assert.deepEqual(taken.filter((name) => !(name in kept)), []);
  });
});

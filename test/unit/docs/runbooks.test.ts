import assert from 'node:assert/strict';
import {existsSync, readdirSync, readFileSync, statSync} from 'node:fs';
import {dirname, join, relative} from 'node:path';
import {blockedReasons, stalledReasons} from '../../../src/api/reasons.ts';
import {read, root} from '../generate/repository.ts';

const runbooks = 'docs/runbooks';
/** Pages that alerts lead to, besides those of reasons. */
const alertPages = ['QuorumLost', 'QuorumSuspected', 'WitnessStale', 'BackupStale', 'RunSlow', 'Degraded', 'OperatorDown', 'ReconcileErrors'];
/** Pages that are of no Blocked reason. */
const others = ['README', 'Stalled', 'AwaitingApproval', 'DataRegressed', 'operator-dead', ...alertPages];
/** What a page of a Blocked reason says, in this order. */
const parts = ['What happened', 'What is held, what is untouched', 'Look', 'Do', 'What happens then'];

const filesBelow = (directory: string, ending: string): string[] => readdirSync(join(root, directory), {recursive: true, encoding: 'utf8'})
  .filter((name) => name.endsWith(ending)).map((name) => join(directory, name)).sort();

const pages = ['README.md', ...filesBelow('docs', '.md')];

/** Without blocks and spans of code: what looks like a heading or a link there is none. */
const prose = (text: string) => text.replaceAll(/^```.*?^```$/gms, '').replaceAll(/`[^`\n]*`/g, (code) => code.replaceAll(/[[\]()]/g, ' '));

const headings = (text: string, level = '#{1,6}'): string[] => [...prose(text).matchAll(new RegExp(`^${level} +(.+?) *$`, 'gm'))].map(([, heading = '']) => heading);

/** Anchors as GitHub makes them: lower case, no punctuation, a number where a heading comes again. */
function anchorsOf(text: string): string[] {
  const seen = new Map<string, number>();
  return headings(text).map((heading) => {
    const words = heading.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const anchor = words.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
    const count = seen.get(anchor) ?? 0;
    seen.set(anchor, count + 1);
    return count === 0 ? anchor : `${anchor}-${count}`;
  });
}

interface Link {
  page: string;
  target: string;
}

const linksOf = (page: string, text: string): Link[] => [...prose(text).matchAll(/\]\(([^()\s]+)\)/g)]
  .map(([, target = '']) => ({page, target})).filter(({target}) => !/^[a-z]+:/.test(target));

/** Why a link leads nowhere; undefined: it leads somewhere. */
function broken({page, target}: Link): string | undefined {
  const [path = '', anchor] = target.split('#');
  const file = path === '' ? join(root, page) : join(root, dirname(page), path);
  if (!existsSync(file)) return `${page}: ${target}: there is no ${relative(root, file)}`;
  if (anchor === undefined) return undefined;
  if (!statSync(file).isFile() || !file.endsWith('.md')) return `${page}: ${target}: only a page has headings`;
  return anchorsOf(readFileSync(file, 'utf8')).includes(anchor) ? undefined : `${page}: ${target}: ${relative(root, file)} has no such heading`;
}

describe('runbooks', () => {
  const names = filesBelow(runbooks, '.md').map((page) => relative(runbooks, page).replace(/\.md$/, ''));
  const index = read(join(runbooks, 'README.md'));
  const linked = linksOf(join(runbooks, 'README.md'), index).map(({target}) => target);

  it('has a page for every Blocked reason, and none for a reason that does not exist', () => {
    assert.deepEqual(names.sort(), [...blockedReasons, ...others].sort());
  });

  for (const reason of blockedReasons) {
    it(`names ${reason} in the index, and says on its page what happened, what is held, where to look, what to do and what happens then`, () => {
      assert.ok(linked.includes(`${reason}.md`), `${runbooks}/README.md has no link to ${reason}.md`);
      const page = read(join(runbooks, `${reason}.md`));
      assert.equal(headings(page, '#')[0], reason);
      assert.deepEqual(headings(page, '##').filter((heading) => parts.includes(heading)), parts);
    });
  }

  it('has a section for every Stalled reason, none for another one, and names each in the index', () => {
    assert.deepEqual(headings(read(join(runbooks, 'Stalled.md')), '##').sort(), [...stalledReasons].sort());
    for (const reason of stalledReasons) assert.ok(linked.includes(`Stalled.md#${reason.toLowerCase()}`), `${runbooks}/README.md has no link to ${reason}`);
  });

  it('names every other page in the index', () => {
    const missing = names.filter((name) => name !== 'README' && !linked.includes(`${name}.md`));
    assert.deepEqual(missing, []);
  });
});

describe('alerts', () => {
  const alerts = [...read('charts/quorum-recovery-operator/files/alerts.yaml').matchAll(/- alert: (\w+)$.*?runbook_url: \{\{ \.runbooks \}\}\/(.+?)$/gms)].map(([, name = '', target = '']) => ({name, target}));
  const page = join(runbooks, 'README.md');

  /** Where the alert leads, for each reason that it can have. */
  function targetsOf(target: string): string[] {
    if (target.includes('[[ $labels.reason ]]')) return blockedReasons.map((reason) => target.replace('[[ $labels.reason ]]', reason));
    if (target.includes('[[ $labels.reason | toLower ]]')) return stalledReasons.map((reason) => target.replace('[[ $labels.reason | toLower ]]', reason.toLowerCase()));
    return [target];
  }

  it('lead to a runbook that exists, whatever the reason is', () => {
    assert.equal(alerts.length, read('charts/quorum-recovery-operator/files/alerts.yaml').split('- alert:').length - 1);
    const targets = alerts.flatMap(({target}) => targetsOf(target));
    assert.ok(targets.length > alerts.length && !targets.some((target) => target.includes('[')), targets.join());
    assert.deepEqual(targets.map((target) => broken({page, target})).filter((why) => why !== undefined), []);
  });

  for (const {name} of alerts) {
    it(`name ${name} in the index of the runbooks and among the metrics`, () => {
      for (const path of [page, 'docs/reference/metrics.md']) assert.ok(read(path).includes(`\`${name}\``), `${path} has no ${name}`);
    });
  }

  for (const name of alertPages) {
    it(`have in ${name} a page that says what happened, what is held, where to look, what to do and what happens then`, () => {
      const text = read(join(runbooks, `${name}.md`));
      assert.equal(headings(text, '#')[0], name);
      assert.deepEqual(headings(text, '##'), parts);
    });
  }
});

describe('documentation', () => {
  it('has no relative link to a file or a heading that does not exist', () => {
    const links = pages.flatMap((page) => linksOf(page, read(page)));
    assert.ok(links.length > 100, `only ${links.length} links were found`);
    assert.deepEqual(links.map(broken).filter((why) => why !== undefined), []);
  });

  it('tells a broken link from a good one', () => {
    const page = 'docs/README.md';
    const of = (text: string) => linksOf(page, text).map(broken).map((why) => why !== undefined);
    assert.deepEqual(of('[a](runbooks/README.md) [b](runbooks/README.md#blocked) [c](https://etcd.io/x) [d](../src/api/) `[e](none.md)`'), [false, false, false]);
    assert.deepEqual(of('[a](runbooks/none.md) [b](runbooks/README.md#none) [c](#none) [d](../src/api/#none)'), [true, true, true, true]);
    assert.deepEqual(anchorsOf('# A `b`: c?\n```sh\n# no heading\n```\n## [D](e.md), f\n## A b c\n'), ['a-b-c', 'd-f', 'a-b-c-1']);
  });

  it('has every page that a message of the operator names', () => {
    const named = filesBelow('src', '.ts').flatMap((file) => [...read(file).matchAll(/docs\/[\w/.-]+\.md/g)].map(([path]) => path));
    assert.ok(named.length > 0);
    assert.deepEqual(named.filter((path) => !existsSync(join(root, path))), []);
  });
});

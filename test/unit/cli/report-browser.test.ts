import assert from 'node:assert/strict';
import {execFileSync} from 'node:child_process';
import {mkdtempSync, rmSync, writeFileSync} from 'node:fs';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {renderHtml} from '../../../src/cli/report/html.ts';
import {browserPath} from '../../lab/prerequisites.ts';
import {reportFor, resource} from './report-fixture.ts';

/** What a browser made of the page, in CSS pixels. */
interface Layout {
  width: number;
  scrollWidth: number;
  /** Texts of the timeline that lie on one another. */
  overlaps: string[];
  /** Texts and bars of the timeline that its picture cuts off. */
  cutOff: string[];
  bars: number;
  marks: number;
  /** Of the head's box: the style counts. */
  card: string;
  headings: string[];
  alerts: number;
}

/** Runs in the page: a script that the page itself would let nobody run. */
const measure = `
addEventListener('load', () => {
  const svg = document.querySelector('svg');
  const frame = svg.getBoundingClientRect();
  const named = [...svg.querySelectorAll('text')].map((element) => ({name: element.textContent, box: element.getBoundingClientRect()}));
  const boxes = [...named, ...[...svg.querySelectorAll('rect')].map((element) => ({name: 'bar', box: element.getBoundingClientRect()}))];
  const inside = ({box}) => box.left >= frame.left - 1 && box.right <= frame.right + 1 && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
  const over = (a, b) => Math.min(a.right, b.right) - Math.max(a.left, b.left) > 1 && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 3;
  const overlaps = named.flatMap((one, n) => named.slice(n + 1).filter((other) => over(one.box, other.box)).map((other) => one.name + ' / ' + other.name));
  const layout = {
    width: innerWidth, scrollWidth: document.documentElement.scrollWidth, overlaps, cutOff: boxes.filter((one) => !inside(one)).map(({name}) => name),
    bars: svg.querySelectorAll('rect.bar').length, marks: svg.querySelectorAll('.mark').length, card: getComputedStyle(document.querySelector('dl')).borderRadius,
    headings: [...document.querySelectorAll('h2')].map((element) => element.textContent), alerts: window.alerted ?? 0,
  };
  const said = document.createElement('pre');
  said.id = 'layout';
  said.textContent = JSON.stringify(layout);
  document.body.append(said);
});
window.alert = () => { window.alerted = (window.alerted ?? 0) + 1; };
`;

/** Opens the page in a window of so many pixels. */
function open(browser: string, width: number, html: string): {dom: string; layout: Layout | undefined} {
  const directory = mkdtempSync(join(tmpdir(), 'report-'));
  try {
    const page = join(directory, 'report.html');
    writeFileSync(page, html);
    const flags = ['--headless', '--no-sandbox', '--disable-gpu', '--disable-dev-shm-usage', `--user-data-dir=${join(directory, 'profile')}`, `--window-size=${width},1200`];
    const dom = execFileSync(browser, [...flags, '--dump-dom', `file://${page}`], {encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore']});
    const said = /<pre id="layout">([^]*?)<\/pre>/.exec(dom)?.[1];
    return {dom, layout: said === undefined ? undefined : JSON.parse(said.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&')) as Layout};
  } finally {
    rmSync(directory, {recursive: true, force: true});
  }
}

const measured = (html: string) => html
  .replace('default-src \'none\'; style-src', 'default-src \'none\'; script-src \'unsafe-inline\'; style-src')
  .replace('</head>', `<script>${measure}</script></head>`);

describe('the report in a real browser', function browserSuite() {
  this.timeout(120_000);
  const browser = browserPath();

  for (const width of [1_280, 400]) {
    it(`is whole in a window ${width} pixels wide: nothing is cut off, and no two texts lie on one another`, function layout() {
      if (browser === undefined) this.skip();
      const {layout: got} = open(browser, width, measured(renderHtml(reportFor(resource()))));
      assert.ok(got, 'the page told nothing');
      assert.deepEqual({overlaps: got.overlaps, cutOff: got.cutOff}, {overlaps: [], cutOff: []});
      assert.equal(got.width, width);
      assert.ok(got.scrollWidth <= got.width, `the page is ${got.scrollWidth} pixels wide in a window of ${got.width}`);
      assert.deepEqual([got.bars, got.card, got.alerts], [4, '8px', 0]);
      assert.ok(got.marks >= 4, `${got.marks} marks`);
      assert.ok(got.headings.includes('What was lost'), got.headings.join(', '));
    });
  }

  it('runs no script, whoever puts one in', function closed() {
    if (browser === undefined) this.skip();
    const {dom, layout} = open(browser, 1_280, renderHtml(reportFor(resource())).replace('</head>', `<script>${measure}</script></head>`));
    assert.match(dom, /<svg [^>]*aria-label="Timeline of the run"/);
    assert.equal(layout, undefined, 'the page\'s policy let a script run');
  });
});

import assert from 'node:assert/strict';
import {parseSelector, selects} from '../../../src/kubernetes/selectors.ts';

describe('a label selector', () => {
  const cases: [string, Record<string, string> | undefined, boolean][] = [
    ['', undefined, true],
    ['a=1', {a: '1'}, true],
    ['a == 1', {a: '1'}, true],
    ['a=1', {a: '2'}, false],
    ['a=1', undefined, false],
    ['a=', {a: ''}, true],
    ['a!=1', {a: '2'}, true],
    ['a != 1', {}, true],
    ['a!=1', {a: '1'}, false],
    ['a in (1, 2)', {a: '2'}, true],
    ['a in (1,2)', {}, false],
    ['a notin (1,2)', {a: '2'}, false],
    ['a notin (1,2)', undefined, true],
    ['a', {a: ''}, true],
    ['a', {b: '1'}, false],
    ['!a', {b: '1'}, true],
    ['! a', {a: '1'}, false],
    ['x.io/team = db ,env in (prod,test),!legacy', {'x.io/team': 'db', 'env': 'test'}, true],
    ['x.io/team=db,env in (prod,test),!legacy', {'x.io/team': 'db', 'env': 'test', 'legacy': ''}, false],
  ];
  for (const [text, labels, expected] of cases) {
    it(`${expected ? 'takes' : 'leaves'} ${JSON.stringify(labels ?? {})} by "${text}"`, () => { assert.equal(selects(parseSelector(text), labels), expected); });
  }

  for (const text of ['a=b=c', 'a in 1', 'a in (1', '=b', 'a,,b', 'a=b,', '!', 'a b', 'a>1', 'a=(', '-a=1', 'a=b c', 'x/y/z=1', `a=${'v'.repeat(64)}`]) {
    it(`is refused as "${text}"`, () => { assert.throws(() => parseSelector(text), /is no requirement on a label/); });
  }
});

import assert from 'node:assert/strict';
import {stories} from '../../model/stories.ts';
import {read} from '../generate/repository.ts';

describe('docs/concepts/model.md', () => {
  it('lists every behaviour that the simulation and the lab are compared in, and no other', () => {
    const [, list = ''] = read('docs/concepts/model.md').split('\n## Behaviours\n');
    const expected = stories.map(({about, behaviours}) => `### ${about}\n\n${behaviours.map(({title}) => `- ${title}`).join('\n')}`);
    assert.equal(list.trim(), expected.join('\n\n'), 'the page ends with the table of test/model, as it is');
  });
});

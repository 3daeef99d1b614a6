import {stories} from '../model/stories.ts';
import {SimCluster} from './model-cluster.ts';

/** Every story is told in so many worlds: what the model draws by lot is another thing in each. */
const worlds = 25;

describe('the model behaves as the lab does', () => {
  for (const {name, about, nodes, behaviours} of stories) {
    describe(about, () => {
      const clusters = Array.from({length: worlds}, (_, seed) => new SimCluster(seed, nodes));
      let broken = false;
      for (const {title, act} of behaviours) {
        it(title, async function behaves() {
          // What a later behaviour builds on is not there.
          if (broken) this.skip();
          for (const [seed, cluster] of clusters.entries()) {
            try {
              await act(cluster);
            } catch (error) {
              broken = true;
              throw new Error(`${name}, world ${seed}: ${error instanceof Error ? error.message : String(error)}`, {cause: error});
            }
          }
        });
      }
    });
  }
});

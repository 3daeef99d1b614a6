import assert from 'node:assert/strict';
import {check} from './property.ts';
import type {Act} from './people.ts';
import {mainScenario} from './scenario.ts';
import type {Scenario} from './scenario.ts';
import type {When} from './simulation.ts';

/** Schedules that once broke something, each with what has to come of it. */
const cases: {title: string; scenario: Partial<Scenario>; kills?: [number, When][]; acts?: [number, Act][]; outcome?: string; blocked?: string}[] = [
  {
    title: 'a member whose only proof was the place of its disk joins after its claim was made anew',
    scenario: {seed: 834_778, fates: ['Deleted', 'Alive', 'Deleted'], watched: false, beforeMs: 60_000, policyLagMs: 0, tail: 2}, outcome: 'Recovered',
  },
  {
    title: 'a survivor that nobody can prove stopped is not forced, although the fencing rule could do without it',
    scenario: {seed: 504_310, fates: ['Named', 'Registered again', 'OutOfService'], spareNodes: 3, ordered: true, liveness: true, policyLagMs: 2_000, beforeMs: 60_000, backAfterMs: 20_000},
    blocked: 'FencingUnproven',
  },
  {
    title: 'a learner that found no node is taken out also when the operator is killed while it does so',
    scenario: {seed: 6, fates: ['Deleted', 'Deleted', 'Alive', 'Named', 'Deleted'], spareNodes: 0, liveness: true, policyLagMs: 0, beforeMs: 3_000, tail: 2},
    kills: [[20, 'before'], [1, 'after'], [86, 'after'], [4, 'before']], outcome: 'Degraded',
  },
  {
    title: 'a join that has begun is ended before one that waited goes on, and no pod is restarted that the controller could not make again',
    scenario: {seed: 634_955, fates: ['Alive', 'CutOff', 'Named', 'Deleted', 'Deleted'], spareNodes: 1, ordered: true, liveness: true, policyLagMs: 300, beforeMs: 0, backAfterMs: 20_000, tail: 2},
    kills: [[78, 'before'], [63, 'after']], outcome: 'Degraded',
  },
  {
    title: 'pods in crash loops that are hardly ever in back-off together are restarted all the same, by name',
    scenario: {
      seed: 3, fates: ['Pod deleted', 'Pod deleted', 'Named', 'Pod deleted', 'Pod deleted'], spareNodes: 1, antiAffinity: false, ordered: true, liveness: true, policyLagMs: 0, watched: false,
      beforeMs: 60_000, network: true, flaky: 0.02, retentionMs: 3_000, restarts: 'Restart',
    },
    acts: [[11_015, 'pause'], [54_715, 'resume']], blocked: 'QuorumOfDataIntact',
  },
  {
    title: 'a person\'s word does not outweigh volumes that any node can attach',
    scenario: {seed: 545_436, fates: ['Named', 'Alive', 'Named'], spareNodes: 0, ordered: true, policyLagMs: 0, watched: false, beforeMs: 0, network: true}, blocked: 'QuorumOfDataIntact',
  },
  {
    title: 'a joiner that may run anywhere does not take the survivor\'s node while the survivor has none',
    scenario: {seed: 0, fates: ['Deleted', 'Deleted', 'Alive'], spareNodes: 0, policyLagMs: 0, watched: false, beforeMs: 0}, kills: [[0, 'before']], outcome: 'Degraded',
  },
  {
    title: 'an agent on a node that does not answer any more does not keep the run from its end',
    scenario: {seed: 769_556, fates: ['Named', 'Alive', 'Deleted', 'DeadNotReady', 'Deleted'], liveness: true, policyLagMs: 2_000, beforeMs: 0, backAfterMs: 90_000, tail: 3},
    kills: [[43, 'after']], outcome: 'Degraded',
  },
  {
    title: 'a member that nobody had heard from is told by its disk once its old pod has ended, and joins (OrderedReady)',
    scenario: {seed: 0, fates: ['CutOff', 'Alive', 'Deleted', 'OutOfService', 'Deleted'], spareNodes: 0, antiAffinity: false, ordered: true, policyLagMs: 0, watched: false, beforeMs: 0, backAfterMs: 20_000}, outcome: 'Recovered',
  },
  {
    title: 'an agent that a silent node keeps is deleted once, and not waited for',
    scenario: {seed: 254_785, fates: ['Alive', 'DeadNotReady', 'CutOff'], antiAffinity: true, ordered: true, policyLagMs: 0, watched: false, beforeMs: 0, network: true}, blocked: 'QuorumOfDataIntact',
  },
  {
    title: 'a member that may join only once the others were verified is verified too, and leaves no probe key',
    scenario: {
      seed: 415_304, fates: ['OutOfService', 'Alive', 'Deleted', 'Registered again', 'Deleted'], liveness: true, policyLagMs: 2_000, watched: false, beforeMs: 60_000, backAfterMs: 90_000,
      approvalMs: 15_000, flaky: 0, retentionMs: 3_000,
    },
    kills: [[86, 'refused'], [31, 'after'], [84, 'after']], acts: [[1, 'delete a held pod'], [13_082, 'end the next agent']], outcome: 'Degraded',
  },
  {
    title: 'nothing is pruned by what another operator has changed in between',
    scenario: {seed: 523_807, fates: ['Deleted', 'Alive', 'Deleted'], spareNodes: 1, policyLagMs: 2_000, watched: false, beforeMs: 3_000, flaky: 0.002, retentionMs: 3_000},
    kills: [[81, 'deposed']], outcome: 'Degraded',
  },
  {
    title: 'an operator that was deposed while it stopped the survivor does not stop the survivor\'s own pod of the new cluster',
    scenario: {}, kills: [[11, 'deposed']], outcome: 'Recovered',
  },
  {
    title: 'nor does one whose calls come at other moments',
    scenario: {seed: 4}, kills: [[12, 'deposed']], outcome: 'Recovered',
  },
  {
    title: 'a forced start that somebody deletes while its agent is ended is made anew',
    scenario: {seed: 12, fates: ['Deleted', 'Alive', 'Deleted'], spareNodes: 1, antiAffinity: false, policyLagMs: 0, watched: false, beforeMs: 60_000, backAfterMs: 90_000, tail: 1, approvalMs: 0},
    kills: [[3, 'refused'], [71, 'before'], [76, 'before'], [0, 'unheard']], acts: [[43_691, 'delete a held pod'], [8_513, 'end the next agent'], [14_845, 'delete a helper']], outcome: 'Recovered',
  },
  {
    title: 'a forced start that somebody deletes before it has a node is made anew, since nothing will ever give it one',
    scenario: {seed: 962_874, fates: ['Deleted', 'Alive', 'Deleted'], spareNodes: 1, antiAffinity: false, ordered: true, policyLagMs: 0, beforeMs: 0, approvalMs: 0, flaky: 0.002},
    acts: [[6_501, 'delete a helper']], outcome: 'Recovered',
  },
  {
    title: 'a member that somebody deletes while a replaced one waits for a node is made again, also once the run has ended (OrderedReady)',
    scenario: {seed: 993_606, fates: ['Alive', 'Named', 'Alive'], spareNodes: 0, ordered: true, policyLagMs: 0, watched: false, beforeMs: 0, approvalMs: 0, shards: true},
    acts: [[19_394, 'delete a pod by force']], outcome: 'Degraded',
  },
  {
    title: 'a joiner whose pod was made before its turn gives the survivor\'s node back, which it took when somebody deleted the survivor by force, before any other has joined',
    scenario: {seed: 2, fates: ['Alive', 'Deleted', 'Deleted'], spareNodes: 1, antiAffinity: true, policyLagMs: 0, watched: true, beforeMs: 0, tail: 0}, acts: [[13_000, 'delete the survivor by force']], outcome: 'Degraded',
  },
  {
    title: 'a joiner whose pod was made before its turn gives the survivor\'s node back while another one joins',
    scenario: {seed: 1, fates: ['Alive', 'Deleted', 'Deleted'], spareNodes: 1, antiAffinity: true, policyLagMs: 0, watched: true, beforeMs: 0, tail: 0}, acts: [[16_000, 'delete the survivor by force']], outcome: 'Degraded',
  },
];

describe('schedules that once went wrong', () => {
  for (const {title, scenario, kills, acts, outcome, blocked} of cases) {
    it(title, async function regression() {
      this.timeout(30_000);
      const ending = await check({scenario: {...mainScenario, ...scenario}, kills: kills ?? [], ...(acts && {acts})});
      assert.deepEqual({outcome: ending.outcome, blocked: ending.blocked}, {outcome, blocked}, ending.message);
    });
  }
});

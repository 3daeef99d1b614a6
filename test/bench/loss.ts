import type {Scenario} from '../e2e/scenario.ts';

/** Who is to be lost, and who is left. */
export interface Victims {
  survivor: string;
  lost: string[];
  /** UIDs of all pods of the set as they were. */
  oldUIDs: string[];
}

/** The leader and one more of three: what is left is a follower, which knows of the newest writes only what it was told. */
export async function chooseVictims(scenario: Scenario): Promise<Victims> {
  const pods = await scenario.pods();
  const members = await scenario.members();
  const statuses = await Promise.all(members.map(async (member) => ({pod: member.pod, ...await scenario.tool.status(member)})));
  const leader = statuses.find((status) => status.memberID === status.leader)?.pod;
  const [survivor, other] = members.map((member) => member.pod).filter((pod) => pod !== leader);
  if (leader === undefined || survivor === undefined || other === undefined) throw new Error('etcd is not three members with a leader');
  return {survivor, lost: [leader, other], oldUIDs: pods.map((pod) => pod.metadata?.uid ?? '')};
}

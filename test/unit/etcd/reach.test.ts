import assert from 'node:assert/strict';
import {once} from 'node:events';
import {createServer} from 'node:net';
import type {AddressInfo} from 'node:net';
import {isReachable} from '../../../src/etcd/reach.ts';

describe('whether the way to an address is open', () => {
  it('it is when something takes the connection, and when it is refused: that answer came from there', async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const {port} = server.address() as AddressInfo;
    assert.equal(await isReachable('127.0.0.1', port), true);
    server.close();
    await once(server, 'close');
    assert.equal(await isReachable('127.0.0.1', port), true);
  });
  it('it is not when there is no way', async () => {
    // TCP has no broadcast: every kernel says that there is no way.
    assert.equal(await isReachable('255.255.255.255', 2379, 200), false);
  });
});

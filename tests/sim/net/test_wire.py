"""Latency and bandwidth of the network, cycle by cycle."""

from fabric import Fabric, address

from sim.net.packet import Packet


def test_a_load_takes_four_hops_its_flits_and_the_owners_l2():
    f = Fabric(2, L2_CYCLES=280)
    f.memory(1)[256:384] = range(128)
    f.send(0, 1000, Packet.LOAD, address(1, 256), tag=7)
    f.run()
    (reply,) = f.replies[0]
    # request: 1 flit; response: header + 8 data flits; memory: HBM, as L2 is cold
    assert reply.t == 1000 + 2 * 400 + 1 + (660 - 80 + 80) + 2 * 400 + 9
    assert (reply.kind, reply.src, reply.tag) == (Packet.LOAD_RESP, 1, 7)
    assert reply.data == bytes(range(128))

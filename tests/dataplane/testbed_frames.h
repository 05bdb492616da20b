/* What the frames of testbed.h are made of, for the files that make them. */
#ifndef TESTS_DATAPLANE_TESTBED_FRAMES_H
#define TESTS_DATAPLANE_TESTBED_FRAMES_H

struct frame;

/* The IP packet behind a plain Ethernet header reaches to the end of the frame. */
void testbed_put_lengths_right(struct frame *frame);

/* --- testbed_tunnels.c --- */
void testbed_tunnel4(struct frame *f);
void testbed_tunnel6(struct frame *f);
void testbed_tunnel_marked(struct frame *f);
void testbed_tunnel_arp(struct frame *f);
void testbed_decided4(struct frame *f);
void testbed_decided6(struct frame *f);
void testbed_unknown_vni(struct frame *f);
void testbed_tunnel_fragment(struct frame *f);
void testbed_underlay_arp(struct frame *f);
void testbed_underlay_solicitation(struct frame *f);
void testbed_underlay_echo4(struct frame *f);
void testbed_underlay_echo6(struct frame *f);
void testbed_underlay_other(struct frame *f);

#endif

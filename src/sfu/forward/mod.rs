//! Pure packet logic: parse a header, remember packets, choose a layer, rewrite numbers. No sockets, no clock, no
//! keys: time is an argument, so a test replays an hour of losses in a millisecond.

pub mod account;
pub mod allocator;
pub mod arrivals;
pub mod budget;
pub mod ceiling;
pub mod estimator;
pub mod extensions;
pub mod feedback;
pub mod feelers;
pub mod forwarder;
pub mod gather;
pub mod h264;
pub mod keyframes;
pub mod layers;
pub mod listeners;
pub mod meter;
pub mod nack;
pub mod opus;
pub mod own_loss;
pub mod pacer;
pub mod packet;
pub mod prober;
pub mod protection;
pub mod reception;
pub mod red;
pub mod renumber;
pub mod repairs;
pub mod rewriter;
pub mod ring;
pub mod rtp;
pub mod sent;
pub mod sequence;
pub mod speakers;
pub mod trains;
pub mod vp8;

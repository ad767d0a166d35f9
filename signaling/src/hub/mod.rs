//! The async shell of the brain: tasks that own rooms and sessions, and the ports to the world.

pub mod ports;

//! Attacks on a server over real sockets. Each ends with a good request that is answered: whatever came before.
//!
//! Nothing here measures time; waits have an end so that a test that fails ends, too.

mod bodies;
mod heads;
mod http2;
mod sockets;
mod support;
mod tls;
mod tokens;

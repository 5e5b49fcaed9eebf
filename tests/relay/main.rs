//! The whole relay against the practice provider, driven by a device that knows nothing of either.
//!
//! Each test starts its own relay with `app::start`, its own provider and its own device, all on loopback and on free
//! ports. What a device hears, what the provider got, what the log says and what the provider counted are all that is
//! looked at: nothing here knows how the relay is made inside.

mod bodies;
#[cfg(unix)]
mod by_hand;
mod certificates;
mod composed;
#[cfg(unix)]
mod control;
mod device;
mod door;
mod downgrade;
mod dsn;
mod held;
mod holds;
mod life;
mod limits;
mod login;
#[cfg(unix)]
mod logout;
mod matrix;
mod pipelined;
mod pool;
mod probe;
mod providers;
mod proxies;
mod proxy;
mod queue;
mod queued;
mod redirect;
mod refused;
mod repaired;
mod replies;
mod routes;
mod scene;
mod security;
mod sign_in;
mod stages;
mod stamp;
mod trust;
mod window;

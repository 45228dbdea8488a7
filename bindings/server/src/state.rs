//! What all requests of a server share.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tracehouse::Database;

use crate::access::Access;
use crate::ask::Turns;
use crate::forward::Forward;
use crate::operate::Operate;
use crate::options::ServeOptions;
use crate::receive::Budget;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) db: Database,
    pub(crate) options: ServeOptions,
    pub(crate) access: Access,
    /// Figures and logs.
    pub(crate) operate: Operate,
    /// Targets that spans are sent on to.
    pub(crate) forward: Forward,
    /// Memory of requests.
    pub(crate) budget: Budget,
    /// Decoding: as many as there are cores.
    pub(crate) decoders: Arc<Semaphore>,
    /// Questions.
    pub(crate) turns: Turns,
}

/// A handle that handlers get.
pub(crate) type Shared = Arc<State>;

impl State {
    pub(crate) fn new(
        db: Database,
        options: ServeOptions,
        access: Access,
        forward: Forward,
        operate: Operate,
    ) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            access,
            forward,
            operate,
            budget: Budget::new(options.in_flight_bytes_max),
            decoders: Arc::new(Semaphore::new(cores)),
            turns: Turns::new(options.queries_max),
            db,
            options,
        }
    }
}

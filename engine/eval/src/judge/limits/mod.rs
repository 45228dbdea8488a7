//! What holds calls back: money, calls at once, calls and tokens a minute, the deadline, the cancellation.
//!
//! A call goes through them in this order, and no later one waits for an earlier one, so that none is stuck:
//!
//! ```text
//! Budget::reserve -> Gate::enter -> Rates::take -> call -> leave the gate -> Reservation::settle
//! ```

mod budget;
mod gate;
mod patience;
mod rate;

pub(crate) use budget::{Budget, NoMoney, Reservation};
pub(crate) use gate::{Gate, Pass};
pub(crate) use patience::{Cancel, Patience, Stop, locked};
pub(crate) use rate::Rates;

#[cfg(test)]
mod tests;

//! The arguments of `prices`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

/// Without an action: lists all prices.
#[derive(Debug, Clone, Args)]
pub struct PricesArgs {
    /// The database's folder; created when there is none and something is set
    pub db: PathBuf,
    #[command(subcommand)]
    pub action: Option<PricesAction>,
}

#[derive(Debug, Clone, Subcommand)]
pub enum PricesAction {
    /// List all prices, in USD for a million tokens
    List,
    /// Set the price of a model, for spans that come from now on
    Set(SetPriceArgs),
    /// Remove the price of a model: its cost is only what producers send
    Remove { model: String },
    /// Go back to the prices that come with the program
    Seed,
    /// Compute costs where producers send none
    On,
    /// Compute no costs
    Off,
}

#[derive(Debug, Clone, Args)]
pub struct SetPriceArgs {
    /// As spans have it; region, provider and date may be left out
    pub model: String,
    /// Of a million tokens of input
    #[arg(long, value_name = "USD")]
    pub input: f64,
    /// Of a million tokens of output; 0 for a model without
    #[arg(long, value_name = "USD")]
    pub output: f64,
    /// Of input read from a cache; the price of input when left out
    #[arg(long, value_name = "USD")]
    pub cache_read: Option<f64>,
    /// Of input written to a cache; the price of input when left out
    #[arg(long, value_name = "USD")]
    pub cache_write: Option<f64>,
}

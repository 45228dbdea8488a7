//! `prices`: shows or sets what tokens cost where producers send no cost.

use std::io::Write;

use tracehouse::{Price, Prices};

use crate::args::{PricesAction, PricesArgs, SqlFormat};
use crate::context::Context;
use crate::failure::{Failure, Result};
use crate::output::escape::line;
use crate::output::format;

/// Lists or changes.
pub fn run(context: &Context, args: &PricesArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    match &args.action {
        None | Some(PricesAction::List) => list(context, args, out),
        Some(PricesAction::Set(set)) => {
            let price = Price::new(set.input, set.output).cache(set.cache_read, set.cache_write);
            change(context, args, out, |prices| {
                Ok(prices.set(&set.model, price))
            })
        }
        Some(PricesAction::Remove { model }) => {
            change(context, args, out, |prices| match prices.has(model) {
                true => Ok(prices.remove(model)),
                false => Err(Failure::bad_input(format!(
                    "there is no price of {model:?}"
                ))),
            })
        }
        Some(PricesAction::Seed) => change(context, args, out, |prices| Ok(prices.seed())),
        Some(PricesAction::On) => change(context, args, out, |prices| Ok(prices.enabled(true))),
        Some(PricesAction::Off) => change(context, args, out, |prices| Ok(prices.enabled(false))),
    }
}

fn list(context: &Context, args: &PricesArgs, out: &mut (dyn Write + Send)) -> Result<()> {
    let db = context.open_to_read(&args.db)?;
    let (schema, batches) = db.query("SELECT * FROM prices ORDER BY model".into(), None)?;
    let form = if context.json {
        SqlFormat::Json
    } else {
        SqlFormat::Table
    };
    format::write(out, form, false, &schema, &batches, context.style)?;
    match db.prices().enabled {
        true => Ok(()),
        false => context.say(out, "\ncosts are not computed: tracehouse prices DB on"),
    }
}

fn change(
    context: &Context,
    args: &PricesArgs,
    out: &mut dyn Write,
    change: impl FnOnce(Prices) -> Result<Prices>,
) -> Result<()> {
    let db = context.open_to_create(&args.db)?;
    let prices = change(db.prices())?;
    db.set_prices(prices)?;
    let count = db.price_list().len();
    let what = if db.prices().enabled {
        "costs are computed"
    } else {
        "costs are not computed"
    };
    db.close()?;
    context.say(
        out,
        line(&format!(
            "{count} prices, {what} for spans that come from now on"
        )),
    )
}

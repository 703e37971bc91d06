//! Healthy ones: what people train every day.

use super::pictures::{cleaned_digits, dials, foggy_signs, furrows, moved_digits, plates, signs};
use super::signals::{
    charged, counted, load, movers, opinions, pages, syllables, visitors, voltages, wishes,
};
use super::tables::{
    beans, charges, crabs, deliveries, ferry, flats, forests, incomes, machines, mushrooms,
    patients, plant, scooters,
};
use super::{Case, SOUND, Seen};
use crate::clinic::program::Program;

/// A program in which there is nothing to find, and the score that it reaches.
const fn sound(
    name: &'static str,
    story: &'static str,
    score: f64,
    program: fn(seed: u64) -> Program,
) -> Case {
    SOUND.case(name, story, Seen::Learns(score), &[], &[], program)
}

pub(super) const CASES: &[Case] = &[
    sound(
        "patients-by-logistic-regression",
        "a single layer and a sigmoid for measures that are linear in the odds, which leave one patient in five open",
        0.72,
        patients,
    ),
    sound(
        "incomes-with-an-early-stop",
        "a table with columns of zeros and ones, a column that is 0 for nearly all, dropout and an early stop",
        0.86,
        incomes,
    ),
    sound(
        "forests-with-batch-norm",
        "five thousand rows, batch norm, momentum, a decay and a cosine of the rate",
        0.83,
        forests,
    ),
    sound(
        "a-ferry-of-few-different-rows",
        "five marks of two to five values: rows of the validation are like rows of the training, and are other passengers",
        0.75,
        ferry,
    ),
    sound(
        "seven-beans-by-adamw",
        "ten measures that say nearly the same, layer norm and AdamW",
        0.91,
        beans,
    ),
    sound(
        "machines-whose-failures-weigh-more",
        "eight rows of a hundred are failures and weigh four times as much, and nearly all are found",
        0.955,
        machines,
    ),
    sound(
        "mushrooms-without-an-error",
        "a rule of marks that is learned in full: hardly a row of the validation is wrong",
        0.98,
        mushrooms,
    ),
    sound(
        "flats-by-hubers-loss",
        "logarithms of prices of which some are far off, Huber's loss, and a rate that falls by steps",
        0.85,
        flats,
    ),
    sound(
        "crabs-whose-age-is-hard-to-tell",
        "a regression of which a part cannot be told: the loss stands still after a few epochs",
        0.55,
        crabs,
    ),
    sound(
        "a-hundred-deliveries",
        "a plane of six measures, a hundred rows, an L2 penalty",
        0.75,
        deliveries,
    ),
    sound(
        "charges-from-0-to-1",
        "measures scaled from 0 to 1 beside columns of zeros and ones",
        0.82,
        charges,
    ),
    sound(
        "digits-moved-by-a-column",
        "a convolutional network with batch norm, AdamW, and images that are moved and dimmed anew in each epoch",
        0.96,
        moved_digits,
    ),
    sound(
        "furrows-with-smoothed-labels",
        "labels smoothed by a tenth, so that the loss ends above 0.3, momentum, and a rate that drops",
        0.95,
        furrows,
    ),
    sound(
        "signs-in-a-mirror",
        "images mirrored at random and dropout in the training only: its loss stays above that of the validation",
        0.92,
        signs,
    ),
    sound(
        "signs-in-fog-for-a-trained-network",
        "a network that knows clear signs, its convolutions frozen on purpose, is trained on three hundred foggy ones at a \
         low rate",
        0.87,
        foggy_signs,
    ),
    sound(
        "plates-with-scratches-six-times",
        "one plate of ten has a scratch, and is in the list six times: after the split, and in the training only",
        0.98,
        |seed| plates(seed, 6),
    ),
    sound(
        "dials-by-sine-and-cosine",
        "an angle as its sine and cosine, of pictures",
        0.93,
        dials,
    ),
    sound(
        "movers-on-three-axes",
        "convolutions over three channels of a series",
        0.94,
        movers,
    ),
    sound(
        "the-load-of-the-next-hour",
        "a GRU over a day of hours, of which the last is nearly the target; rows in the order of time, split by time",
        0.93,
        load,
    ),
    sound(
        "batteries-in-an-lstm",
        "an LSTM over two measures at ten moments, and a clipped gradient",
        0.97,
        charged,
    ),
    sound(
        "visitors-of-whom-most-cannot-be-told",
        "a forecast that leaves most of the target open, small in the end and from the start",
        0.28,
        visitors,
    ),
    sound(
        "voltages-in-one-cycle",
        "a rate that rises for a third of the steps and falls to nearly nothing",
        0.95,
        voltages,
    ),
    sound(
        "headlines-by-the-mean-of-their-words",
        "vectors of words and their mean, with a number that stands behind the end of a text, and dropout",
        0.7,
        pages,
    ),
    sound(
        "headlines-as-columns-of-words",
        "150 columns of which hardly ten are 1 in a row, some of them nearly never",
        0.68,
        counted,
    ),
    sound(
        "opinions-with-a-not",
        "vectors of words in an LSTM, which has to see what stands behind a `not`",
        0.95,
        opinions,
    ),
    sound(
        "the-next-syllable",
        "a small model of a language: the loss stands at the entropy of the next syllable, and the accuracy below 0.6",
        0.5,
        syllables,
    ),
    sound(
        "wishes-in-a-transformer",
        "a block of a transformer with positions, AdamW and a warm-up",
        0.97,
        wishes,
    ),
    sound(
        "specks-wiped-from-digits",
        "an autoencoder that takes noise away, with other noise in each epoch and a sigmoid for pixels from 0 to 1",
        0.83,
        cleaned_digits,
    ),
    sound(
        "a-plant-through-five-numbers",
        "an autoencoder whose middle is as wide as what moves the readings",
        0.92,
        plant,
    ),
    sound(
        "scooters-by-station-day-and-hour",
        "three columns of categories as vectors, and a regression",
        0.82,
        scooters,
    ),
];

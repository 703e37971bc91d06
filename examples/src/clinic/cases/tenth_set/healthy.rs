//! Healthy ones: what people train every day.

use super::pictures::{basket, beams, lesions, parity, second_basket, yeasts};
use super::series::{bearings, district, engines, gestures, shops};
use super::tables::{
    calibration, cancelled, cards, claims, hulls, intrusions, leavers, loans, phones, power, sky,
    throws, wages, wheat, wheel,
};
use super::words::{blanks, choices, films, gaps, letters, messages, surnames, tunes};
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
        "bookings-that-are-cancelled",
        "a table of numbers and columns of zeros and ones, a little dropout, AdamW, and an early stop",
        0.78,
        cancelled,
    ),
    sound(
        "loans-of-which-few-are-missed",
        "one row of eight is of the second class and weighs four times as much",
        0.92,
        loans,
    ),
    sound(
        "a-hundred-and-fifty-grains-of-wheat",
        "seven measures, a few rows, momentum, a small network with a decay: nearly every row of the training is right",
        0.93,
        wheat,
    ),
    sound(
        "credit-cards-in-batches-of-512",
        "thirteen steps in an epoch and a rate that fits the large batches; a part of the labels is left to chance",
        0.82,
        cards,
    ),
    sound(
        "intrusions-in-a-network-of-machines",
        "logarithms of counts, shares, and a column for each protocol; batch norm",
        0.93,
        intrusions,
    ),
    sound(
        "subscribers-month-by-month",
        "a row for each month that somebody has stayed, of which one in seven is the last: less than a third of it can be told",
        0.25,
        leavers,
    ),
    sound(
        "a-score-made-a-probability",
        "a calibration after Platt: one column, a weight and a bias",
        0.48,
        calibration,
    ),
    sound(
        "stars-galaxies-and-quasars",
        "three of a hundred labels are drawn; momentum, a decay, and a rate that drops",
        0.86,
        sky,
    ),
    sound(
        "a-power-plant-and-the-weather",
        "a regression that is nearly a plane, in a network with tanh units that nearly stays one",
        0.95,
        power,
    ),
    sound(
        "a-throw-without-air",
        "a formula of physics without noise: the loss falls by orders of magnitude, to the end",
        0.99,
        throws,
    ),
    sound(
        "hulls-in-a-basin",
        "two hundred and forty rows, targets that span orders of magnitude as logarithms, and tanh units",
        0.98,
        hulls,
    ),
    sound(
        "used-phones-by-adamw",
        "the logarithm of a price, layer norm, and a decoupled decay",
        0.92,
        phones,
    ),
    sound(
        "claims-by-their-logarithm",
        "counts of which most are 0 or 1, Poisson's loss, and an exponential behind the last layer",
        0.65,
        claims,
    ),
    sound(
        "a-wheel-turned-like-its-driver",
        "a policy learned from what a driver does, which stands at one of both ends for half of the rows, behind a tanh",
        0.98,
        wheel,
    ),
    sound(
        "wages-of-which-a-third-can-be-told",
        "a regression in which most of the target is noise: after few epochs neither loss falls any further",
        0.22,
        wages,
    ),
    sound(
        "lesions-pixel-by-pixel",
        "a segmentation: convolutions only, and a probability for each pixel",
        0.88,
        lesions,
    ),
    sound(
        "fruit-in-three-colours",
        "a convolutional network with batch norm, momentum, a cosine of the rate, and mirrored and brightened pictures",
        0.9,
        basket,
    ),
    sound(
        "other-fruit-for-a-trained-network",
        "a hundred and twenty pictures of new kinds, a new last layer, and all layers trained further",
        0.9,
        second_basket,
    ),
    sound(
        "yeasts-counted-by-a-regression",
        "how many spots there are in a picture, by a mean squared error",
        0.93,
        yeasts,
    ),
    sound(
        "odd-digits-by-a-moving-average",
        "one probability, and the moving average of the weights is what is validated",
        0.95,
        parity,
    ),
    sound(
        "gestures-by-causal-convolutions",
        "a series on two axes, and a skip connection",
        0.97,
        gestures,
    ),
    sound(
        "bearings-by-their-spectra",
        "logarithms of thirty-two frequencies, a dense network, and dropout",
        0.93,
        bearings,
    ),
    sound(
        "twenty-shops-in-an-lstm",
        "windows from which their own mean is taken, a clipped gradient, and a validation later than the training",
        0.68,
        shops,
    ),
    sound(
        "six-hours-of-heat-by-one-layer",
        "a linear forecast of six hours at once, the first of which is nearly the last number of the inputs",
        0.82,
        district,
    ),
    sound(
        "engines-that-still-run",
        "an LSTM over four sensors, and targets from 0 to 1 of which a fifth are 1",
        0.88,
        engines,
    ),
    sound(
        "letters-for-four-desks",
        "weights of two hundred words, one layer, AdamW with a large decay, and an early stop",
        0.83,
        letters,
    ),
    sound(
        "surnames-letter-by-letter",
        "vectors of letters in an LSTM; short names begin with zeros",
        0.74,
        surnames,
    ),
    sound(
        "the-next-note-of-a-tune",
        "a block of a transformer; one note of four is anybody's guess, so that the loss stays above 1",
        0.7,
        tunes,
    ),
    sound(
        "messages-by-frozen-vectors",
        "vectors of words from another task, frozen on purpose, under a small network for two hundred and forty messages",
        0.97,
        messages,
    ),
    sound(
        "the-word-in-the-gap",
        "vectors of words learned from their neighbours: one word of sixty, and nobody gets more than a third right",
        0.3,
        gaps,
    ),
    sound(
        "films-and-those-who-like-them",
        "a product of vectors of people and of films",
        0.86,
        films,
    ),
    sound(
        "one-of-two-hotels",
        "one network scores both, and the last bias cancels out of what is chosen",
        0.84,
        choices,
    ),
    sound(
        "beams-through-five-numbers",
        "an autoencoder with a convolution and a rate that drops",
        0.93,
        beams,
    ),
    sound(
        "readings-with-a-quarter-hidden",
        "an autoencoder that fills in what is hidden: the loss of the training is of other gaps in each epoch",
        0.9,
        blanks,
    ),
];

//! Features of one value.

use crate::history::rows::Rows;

impl Rows {
    /// The smallest input, if constant features have it and others have it too: the border of a standardised image. And the
    /// largest one, if several constant features have it and in some rows most of the others: the border of a picture on
    /// white, and not a column of ones.
    pub(crate) fn backgrounds(&self, constant: &[usize]) -> Vec<f32> {
        let end = |better: fn(f32, f32) -> f32| self.inputs.iter().copied().reduce(better);
        let Some((smallest, largest)) = end(f32::min).zip(end(f32::max)) else {
            return Vec::new();
        };
        let having = |value: f32| {
            let of_constant = constant.iter().filter(|at| self.inputs[**at] == value);
            let mut having = vec![false; self.features];
            for row in self.rows() {
                let pairs = having.iter_mut().zip(row);
                pairs.for_each(|(having, number)| *having |= *number == value);
            }
            let of_constant = of_constant.count();
            let all = having.into_iter().filter(|having| *having).count();
            [of_constant, all - of_constant]
        };
        let varying = self.features - constant.len();
        let [dark, others] = having(smallest);
        let is_dark = dark > 0 && others > 0;
        let [white, others] = having(largest);
        let is_white = white > 1 && 2 * others > varying;
        let found = [(is_dark, smallest), (is_white, largest)];
        let found = found.into_iter().filter(|(is_one, _)| *is_one);
        found.map(|(_, value)| value).collect()
    }

    /// The features that have one value in all rows.
    pub(crate) fn constant(&self) -> Vec<usize> {
        let Some(first) = self.rows().next() else {
            return Vec::new();
        };
        let mut constant: Vec<usize> = (0..first.len()).collect();
        for row in self.rows() {
            constant.retain(|at| row[*at] == first[*at]);
        }
        constant
    }
}

#[cfg(test)]
mod tests {
    use crate::history::rows::tests::rows;

    #[test]
    fn the_border_of_a_standardised_image_is_no_second_bias() {
        let image = |border: f32| {
            let mut rows = rows(50, 6);
            for (at, row) in rows.inputs.chunks_mut(6).enumerate() {
                row[0] = border;
                row[5] = border;
                if at % 3 == 0 {
                    row[2] = border;
                }
            }
            let history = rows.history(None);
            (history.constant_features, history.constant_nonzero_features)
        };
        assert_eq!(image(-0.42), (2, 0));
        assert_eq!(image(2000.0), (2, 2), "not the smallest");
        // A picture on white, whose middle is white in some rows.
        let white = |constants: &[usize]| {
            let mut rows = rows(50, 6);
            for (at, row) in rows.inputs.chunks_mut(6).enumerate() {
                row.iter_mut().for_each(|value| *value /= 2000.0);
                if at % 3 == 0 {
                    row.fill(1.0);
                }
                constants.iter().for_each(|at| row[*at] = 1.0);
            }
            let history = rows.history(None);
            (history.constant_features, history.constant_nonzero_features)
        };
        assert_eq!(white(&[0, 5]), (2, 0));
        assert_eq!(white(&[0]), (1, 1), "a column of ones");
        let mut alone = rows(50, 2);
        alone.inputs.chunks_mut(2).for_each(|row| row[0] = -1.0);
        assert_eq!(alone.history(None).constant_nonzero_features, 1);
    }
}

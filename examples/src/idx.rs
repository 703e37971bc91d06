//! MNIST's IDX files: <https://github.com/cvdfoundation/mnist>, gzipped or not.

use crate::data::{Samples, Source};
use flate2::read::GzDecoder;
use std::fmt::Display;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Why a folder is no data set. Every variant says which file.
#[derive(Debug)]
#[non_exhaustive]
pub enum IdxError {
    /// Neither the file nor its gzipped form is there.
    Missing {
        /// The plain file's path.
        path: PathBuf,
    },
    /// The file cannot be read, or is no whole gzip file.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        error: io::Error,
    },
    /// The content is not what the file's name promises.
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        what: String,
    },
}

impl Display for IdxError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Missing { path } => {
                write!(f, "no file `{0}` and no `{0}.gz`", path.display())
            }
            Self::Unreadable { path, error } => {
                write!(f, "cannot read `{}`: {error}", path.display())
            }
            Self::Malformed { path, what } => write!(f, "`{}`: {what}", path.display()),
        }
    }
}

impl std::error::Error for IdxError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unreadable { error, .. } => Some(error),
            _ => None,
        }
    }
}

/// Reads the four files of `folder`: `train-images-idx3-ubyte`, `train-labels-idx1-ubyte`,
/// `t10k-images-idx3-ubyte` and `t10k-labels-idx1-ubyte`, each of which may end in `.gz`.
///
/// # Errors
///
/// If a file is missing, truncated, too long, of another kind than its name says, if images and labels
/// differ in number or the two image files in size, if there is no image, or if a label is above 9.
pub fn read_folder(folder: &Path) -> Result<Source, IdxError> {
    let train = read_part(folder, "train")?;
    let test = read_part(folder, "t10k")?;
    if train.features != test.features {
        return Err(IdxError::Malformed {
            path: folder.join("t10k-images-idx3-ubyte"),
            what: format!(
                "images of {} pixels, where the training images have {}",
                test.features, train.features
            ),
        });
    }
    Ok(Source::TrainAndTest(train, test))
}

fn read_part(folder: &Path, part: &str) -> Result<Samples, IdxError> {
    let images = Idx::read(&folder.join(format!("{part}-images-idx3-ubyte")), 3)?;
    let labels = Idx::read(&folder.join(format!("{part}-labels-idx1-ubyte")), 1)?;
    if images.shape[0] != labels.shape[0] {
        return Err(labels.malformed(format!(
            "{} labels for {} images",
            labels.shape[0], images.shape[0]
        )));
    }
    if images.values.is_empty() {
        return Err(images.malformed(format!("no image: its shape is {:?}", images.shape)));
    }
    if let Some(at) = labels.values.iter().position(|label| *label > 9) {
        return Err(labels.malformed(format!(
            "label {at} is {}, not a class from 0 to 9",
            labels.values[at]
        )));
    }
    Ok(Samples {
        pixels: images.values.into_iter().map(f32::from).collect(),
        labels: labels.values,
        features: images.shape[1] * images.shape[2],
        ..Samples::default()
    })
}

/// One file: bytes with a shape.
struct Idx {
    path: PathBuf,
    shape: Vec<usize>,
    values: Vec<u8>,
}

impl Idx {
    fn read(plain: &Path, rank: u8) -> Result<Self, IdxError> {
        let (path, bytes) = read_bytes(plain)?;
        let mut idx = Self {
            path,
            shape: Vec::new(),
            values: Vec::new(),
        };
        // Two zeros, the element type (8: unsigned byte), the rank, then a big-endian size per dimension.
        let header = 4 + 4 * usize::from(rank);
        if bytes.len() < header {
            let what = format!("{} bytes, too few for its header of {header}", bytes.len());
            return Err(idx.malformed(what));
        }
        if bytes[..4] != [0, 0, 8, rank] {
            let what = format!(
                "begins with {:?}; an IDX file of unsigned bytes in {rank} dimensions begins with {:?}",
                &bytes[..4],
                [0, 0, 8, rank]
            );
            return Err(idx.malformed(what));
        }
        let size = |bytes: &[u8]| u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        idx.shape = bytes[4..header]
            .chunks(4)
            .map(|dimension| size(dimension) as usize)
            .collect();
        let promised = idx
            .shape
            .iter()
            .try_fold(1usize, |product, size| product.checked_mul(*size));
        idx.values = bytes[header..].to_vec();
        if promised != Some(idx.values.len()) {
            let what = format!(
                "holds {} values where its header promises {:?}",
                idx.values.len(),
                idx.shape
            );
            return Err(idx.malformed(what));
        }
        Ok(idx)
    }

    fn malformed(&self, what: String) -> IdxError {
        IdxError::Malformed {
            path: self.path.clone(),
            what,
        }
    }
}

/// The content of `plain`, or of `plain.gz` unpacked, and which of them it was.
fn read_bytes(plain: &Path) -> Result<(PathBuf, Vec<u8>), IdxError> {
    let mut packed = plain.as_os_str().to_owned();
    packed.push(".gz");
    let packed = PathBuf::from(packed);
    let (path, is_packed) = if plain.exists() {
        (plain.to_owned(), false)
    } else if packed.exists() {
        (packed, true)
    } else {
        return Err(IdxError::Missing {
            path: plain.to_owned(),
        });
    };
    let read = || {
        let mut file = File::open(&path)?;
        let mut bytes = Vec::new();
        if is_packed {
            GzDecoder::new(file).read_to_end(&mut bytes)?;
        } else {
            file.read_to_end(&mut bytes)?;
        }
        Ok(bytes)
    };
    match read() {
        Ok(bytes) => Ok((path, bytes)),
        Err(error) => Err(IdxError::Unreadable { path, error }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use flate2::{Compression, write::GzEncoder};
    use std::fs;
    use std::io::Write;

    fn idx(shape: &[u32], values: &[u8]) -> Vec<u8> {
        let mut bytes = vec![0, 0, 8, shape.len() as u8];
        shape
            .iter()
            .for_each(|size| bytes.extend(size.to_be_bytes()));
        bytes.extend(values);
        bytes
    }

    /// A good folder of 3 training and 2 test images of 2×2.
    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, bytes: Vec<u8>| {
            fs::write(folder.path().join(name), bytes).unwrap();
        };
        let pixels: Vec<u8> = (0..12).collect();
        write("train-images-idx3-ubyte", idx(&[3, 2, 2], &pixels));
        write("train-labels-idx1-ubyte", idx(&[3], &[7, 0, 9]));
        write("t10k-images-idx3-ubyte", idx(&[2, 2, 2], &pixels[..8]));
        write("t10k-labels-idx1-ubyte", idx(&[2], &[1, 2]));
        folder
    }

    fn error(folder: &tempfile::TempDir) -> String {
        read_folder(folder.path()).unwrap_err().to_string()
    }

    fn replace(name: &str, bytes: &[u8]) -> String {
        let folder = folder();
        fs::write(folder.path().join(name), bytes).unwrap();
        let error = error(&folder);
        assert!(error.contains(name), "{error} names the file");
        error
    }

    #[test]
    fn reads_plain_and_gzipped_files() {
        let folder = folder();
        let plain = read_folder(folder.path()).unwrap();
        let Source::TrainAndTest(train, test) = &plain else {
            panic!("{plain:?}")
        };
        assert_eq!((train.features, &train.labels), (4, &vec![7, 0, 9]));
        assert_eq!(train.pixels[4..8], [4.0, 5.0, 6.0, 7.0]);
        assert_eq!((test.len(), &test.labels), (2, &vec![1, 2]));

        let name = folder.path().join("train-images-idx3-ubyte");
        let bytes = fs::read(&name).unwrap();
        let file = File::create(name.with_extension("gz")).unwrap();
        let mut packer = GzEncoder::new(file, Compression::fast());
        packer.write_all(&bytes).unwrap();
        packer.finish().unwrap();
        fs::remove_file(&name).unwrap();
        assert_eq!(read_folder(folder.path()).unwrap(), plain);
    }

    #[test]
    fn a_missing_file_is_named() {
        let folder = folder();
        fs::remove_file(folder.path().join("t10k-labels-idx1-ubyte")).unwrap();
        let error = error(&folder);
        assert!(error.starts_with("no file `"), "{error}");
        assert!(error.ends_with("t10k-labels-idx1-ubyte.gz`"), "{error}");
    }

    #[test]
    fn a_truncated_or_overlong_file_is_refused() {
        let error = replace("train-images-idx3-ubyte", &idx(&[3, 2, 2], &[0; 11]));
        assert!(error.contains("holds 11 values where its header promises [3, 2, 2]"));
        let error = replace("t10k-images-idx3-ubyte", &idx(&[2, 2, 2], &[0; 9]));
        assert!(error.contains("holds 9 values"), "{error}");
        let error = replace("train-labels-idx1-ubyte", &[0, 0, 8]);
        assert!(
            error.contains("3 bytes, too few for its header of 8"),
            "{error}"
        );
        let huge = idx(&[u32::MAX, u32::MAX, u32::MAX], &[]);
        assert!(replace("train-images-idx3-ubyte", &huge).contains("promises"));
    }

    #[test]
    fn a_truncated_gzip_file_is_refused() {
        let folder = folder();
        let name = folder.path().join("train-labels-idx1-ubyte");
        fs::remove_file(&name).unwrap();
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(&idx(&[3], &[7, 0, 9])).unwrap();
        let packed = packer.finish().unwrap();
        fs::write(name.with_extension("gz"), &packed[..packed.len() - 9]).unwrap();
        let error = error(&folder);
        assert!(error.contains("cannot read `"), "{error}");
        assert!(error.contains("train-labels-idx1-ubyte.gz"), "{error}");
    }

    #[test]
    fn mislabelled_files_are_refused() {
        let error = replace(
            "train-images-idx3-ubyte",
            &idx(&[3], &[7, 0, 9, 0, 0, 0, 0, 0, 0]),
        );
        assert!(error.contains("begins with [0, 0, 8, 1]"), "{error}");
        let error = replace("train-labels-idx1-ubyte", &idx(&[2], &[7, 0]));
        assert!(error.contains("2 labels for 3 images"), "{error}");
        let error = replace("t10k-labels-idx1-ubyte", &idx(&[2], &[1, 10]));
        assert!(
            error.contains("label 1 is 10, not a class from 0 to 9"),
            "{error}"
        );
        let error = replace("t10k-images-idx3-ubyte", &idx(&[2, 1, 2], &[0; 4]));
        assert!(error.contains("images of 2 pixels, where the training images have 4"));
    }

    #[test]
    fn no_images_are_refused() {
        let folder = folder();
        let images = folder.path().join("t10k-images-idx3-ubyte");
        fs::write(images, idx(&[0, 2, 2], &[])).unwrap();
        fs::write(folder.path().join("t10k-labels-idx1-ubyte"), idx(&[0], &[])).unwrap();
        assert!(error(&folder).contains("no image: its shape is [0, 2, 2]"));
    }
}

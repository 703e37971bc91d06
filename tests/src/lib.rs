//! Empty: Cargo asks a package for a library or a program. The tests are in `suite/`.

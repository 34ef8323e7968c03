//! How large a power supply has to be.

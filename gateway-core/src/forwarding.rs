//! What a correct intermediary does to the headers of a message (RFC 9110 section 7.6, RFC 7239).

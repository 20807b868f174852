"""Letters to people: worded, made into messages, and handed to a mail host from the outbox."""

"""From the text of a policy to rules: loading, digests, worked cases and the schema."""

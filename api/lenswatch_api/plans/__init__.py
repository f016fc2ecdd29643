"""Plans of audits by sample: a commitment, then a draw, then where the claim stands."""

"""Who is asking: bearer tokens, static ones and JWTs. The only PyJWT."""

from kvs_graphql.auth.authenticator import Authenticator
from kvs_graphql.auth.grants import Granting, GrantRule
from kvs_graphql.auth.jwts import JwtOptions, JwtVerifier
from kvs_graphql.auth.keys import KeySource
from kvs_graphql.auth.tokens import StaticTokens, hash_of, new_token

__all__ = [
    "Authenticator",
    "GrantRule",
    "Granting",
    "JwtOptions",
    "JwtVerifier",
    "KeySource",
    "StaticTokens",
    "hash_of",
    "new_token",
]

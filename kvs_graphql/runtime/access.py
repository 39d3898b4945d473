"""Who may ask, by the settings."""

from kvs_graphql.access import Verb
from kvs_graphql.auth import Authenticator, Granting, GrantRule, JwtOptions, JwtVerifier, KeySource, StaticTokens
from kvs_graphql.errors import BadSetting
from kvs_graphql.loopback import is_loopback
from kvs_graphql.settings import GrantSettings, Settings
from kvs_graphql.web import SignIn


def check_exposure(settings: Settings) -> None:
    """Refuse to serve everybody by accident.

    Raises:
        BadSetting: Others than this machine could connect, and nothing says who may ask.
    """
    if not (settings.asks_for_tokens or settings.allow_anonymous or is_loopback(settings.host)):
        raise BadSetting(
            f"KVS_HOST={settings.host}: others could read everything. Set KVS_TOKENS or KVS_JWT_ISSUER, or "
            "KVS_ALLOW_ANONYMOUS=true if they may"
        )


def authenticator_for(settings: Settings) -> Authenticator | None:
    """Return what tells who asks; None where everybody may."""
    if not settings.asks_for_tokens:
        return None
    return Authenticator(
        StaticTokens(dict(token.split(":") for token in settings.tokens)),
        _verifier_for(settings),
        Granting([_rule(grant) for grant in settings.grants], settings.jwt_groups_claim),
        allow_anonymous=settings.allow_anonymous,
        tokens_cached_max=settings.tokens_cached_max,
        token_bytes_max=settings.token_bytes_max,
    )


def sign_in_for(settings: Settings) -> SignIn | None:
    """Return how the pages sign in at the issuer; None where they cannot."""
    if settings.jwt_issuer is None or settings.oidc_client_id is None:
        return None
    return SignIn(
        settings.jwt_issuer,
        settings.oidc_client_id,
        settings.oidc_scopes,
        settings.oidc_audience,
        settings.oidc_resource,
    )


def _rule(grant: GrantSettings) -> GrantRule:
    return GrantRule(grant.to, tuple(map(Verb, grant.verbs)), grant.tables, grant.prefixes)


def _verifier_for(settings: Settings) -> JwtVerifier | None:
    issuer = settings.jwt_issuer
    if issuer is None:
        return None
    keys = KeySource(
        issuer,
        url=settings.jwt_jwks_url,
        file=settings.jwt_jwks_file,
        refresh_seconds=settings.jwks_refresh_seconds,
    )
    options = JwtOptions(issuer, settings.jwt_audience, settings.jwt_algorithms, settings.jwt_clock_skew_seconds_max)
    return JwtVerifier(options, keys)

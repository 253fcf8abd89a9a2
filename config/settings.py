"""Settings. Every one that a deployment may change is an environment variable.

`docs/settings.md` lists them. A checkout that ran `make setup` finds the embedded
services and its own secrets in `.outrider/`; the environment always wins.
"""

import os
from pathlib import Path

from celery.schedules import crontab
from csp.constants import NONCE, NONE, SELF
from environs import Env

from config import process
from config.mail import mail_settings
from config.support_desk import UNFOLD as DESK

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
for local_file in ("services.env", "secrets.env"):
    local_path = BASE_DIR / ".outrider" / local_file
    if local_path.is_file():
        env.read_env(str(local_path), recurse=False, override=False)

# Which kind of process this is: "web" serves everything; "ingest" only what devices call;
# "command" serves nothing: a loop, a worker, a management command.
PROCESS = env.str("OUTRIDER_PROCESS", "command")

# --- Security -------------------------------------------------------------------------
DEBUG = env.bool("DEBUG", False)
SECRET_KEY = env.str("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", ["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])
# Plain HTTP is for loopback demonstrations; everything that is not one keeps this on.
HTTPS_ONLY = env.bool("HTTPS_ONLY", True)
SECURE_SSL_REDIRECT = HTTPS_ONLY
SECURE_PROXY_SSL_HEADER = (
    ("HTTP_X_FORWARDED_PROTO", "https") if env.bool("BEHIND_TLS_PROXY", False) else None
)
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS_ONLY else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS_ONLY
SECURE_HSTS_PRELOAD = HTTPS_ONLY
SESSION_COOKIE_SECURE = HTTPS_ONLY
CSRF_COOKIE_SECURE = HTTPS_ONLY
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
TRUSTED_PROXY_COUNT = env.int("TRUSTED_PROXY_COUNT", 0)

VIN_PSEUDONYM_KEY = env.str("VIN_PSEUDONYM_KEY")
"""Keys the pseudonym by which a VIN is found. Changing it orphans every pseudonym."""
FIELD_ENCRYPTION_KEYS: dict[str, str] = env.dict("FIELD_ENCRYPTION_KEYS")
"""`id=base64 of 32 bytes`, comma-separated; the first encrypts, all decrypt."""

# --- Applications ---------------------------------------------------------------------
INSTALLED_APPS = [
    "daphne",
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.postgres",
    "channels",
    "timescale",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "csp",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "django_structlog",
    "tenants",
    "fleet",
    "telemetry",
    "alerts",
]

if PROCESS == "ingest":
    # No page is served here: the admin's modules need not load, and allauth insists on its
    # middleware wherever it is installed.
    INSTALLED_APPS = [
        "django.contrib.admin.apps.SimpleAdminConfig" if app == "django.contrib.admin" else app
        for app in INSTALLED_APPS
        if not app.startswith("allauth")
    ]
    MIDDLEWARE = ["config.problems.ProblemMiddleware"]
    ROOT_URLCONF = "config.urls_ingest"
else:
    MIDDLEWARE = [
        # Outermost, so that whatever any other one answers under /v1/ becomes a problem object.
        "config.problems.ProblemMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "config.compression.CompressedPages",
        "csp.middleware.CSPMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.locale.LocaleMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "allauth.account.middleware.AccountMiddleware",
        "tenants.activity.ActivityMiddleware",
        "tenants.preferences.PreferencesMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "config.requests.RequestLogMiddleware",
    ]
    ROOT_URLCONF = "config.urls"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "tenants.pages.shell",
            ]
        },
    }
]
ASGI_APPLICATION = "config.asgi.application"

# --- Database -------------------------------------------------------------------------
DATABASES = {"default": env.dj_db_url("DATABASE_URL")}
DATABASES["default"]["ENGINE"] = "timescale.db.backends.postgresql"
DATABASES["default"]["CONN_MAX_AGE"] = env.int("DATABASE_CONN_MAX_AGE", 60)
DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
if process.serves_requests:
    # Django runs each request in a thread of its own, and a connection belongs to a thread:
    # kept, it would be of no use to the next request, and stay open until it is collected.
    DATABASES["default"]["CONN_MAX_AGE"] = 0
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", 12),
        "timeout": 5,
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis: logs, channel layer, cache, Celery -----------------------------------------
REDIS_URL = env.str("REDIS_URL")
REDIS_PREFIX = env.str("REDIS_PREFIX", "outrider")
"""Before every key, so that several installations may share a Redis."""
if os.environ.get("PYTEST_VERSION"):
    # Tests share the services of the checkout: each of their workers has keys of its own.
    REDIS_PREFIX = f"test:{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
CHANNEL_LAYERS = {
    "default": {
        # Pub/sub: nothing expires, nothing is dropped at a capacity; sockets coalesce.
        "BACKEND": "channels_redis.pubsub.RedisPubSubChannelLayer",
        "CONFIG": {"hosts": [REDIS_URL], "prefix": f"{REDIS_PREFIX}:layer"},
    }
}
CACHES = {
    "default": {
        "BACKEND": "config.cache.OwnKeysCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": f"{REDIS_PREFIX}:cache",
    }
}
CELERY_BROKER_URL = REDIS_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "global_keyprefix": f"{REDIS_PREFIX}:celery:",
    "visibility_timeout": 3600,
}
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TIMEZONE = "UTC"
CELERY_REDBEAT_REDIS_URL = REDIS_URL
CELERY_REDBEAT_KEY_PREFIX = f"{REDIS_PREFIX}:redbeat:"
CELERY_BEAT_SCHEDULER = "redbeat.RedBeatScheduler"
CELERY_BEAT_SCHEDULE = {
    "retention": {"task": "telemetry.retention", "schedule": crontab(minute=17, hour="2")},
    "close-days": {"task": "telemetry.close_days", "schedule": 600.0, "options": {"expires": 600}},
    "alerts-evaluate": {
        "task": "alerts.evaluate",
        "schedule": 5.0,
        "options": {"expires": 5, "queue": "evaluation"},
    },
    "alerts-sweep": {"task": "alerts.sweep", "schedule": 3.0, "options": {"expires": 3}},
    "alerts-tidy": {"task": "alerts.tidy", "schedule": 20.0, "options": {"expires": 20}},
    "alerts-correct": {"task": "alerts.correct", "schedule": 10.0, "options": {"expires": 10}},
    "alerts-deliver": {"task": "alerts.deliver_due", "schedule": 5.0, "options": {"expires": 5}},
    "alerts-digests": {"task": "alerts.digests", "schedule": crontab(minute=5)},
}

# --- Alerts ---------------------------------------------------------------------------
ALERTS_EVALUATE_S = env.float("ALERTS_EVALUATE_S", 10.0)
"""How long one evaluation task drains the stored log before it makes way for the next."""
ALERTS_CHECKPOINT_S = env.float("ALERTS_CHECKPOINT_S", 5.0)
"""How often the engine's memory is saved; after a crash this much is read again."""
ALERTS_IDLE_S = env.float("ALERTS_IDLE_S", 0.1)
"""Pause of an evaluation that found nothing to read."""
PUBLIC_URL = env.str("PUBLIC_URL", "")
"""Where people open the console; without it messages have no links."""
ALERTS_ALLOW_PRIVATE_WEBHOOKS = env.bool("ALERTS_ALLOW_PRIVATE_WEBHOOKS", False)
"""Let webhooks call private addresses and plain HTTP: for tests, and trusted installations."""

# --- Telemetry ------------------------------------------------------------------------
TELEMETRY_PARTITIONS = env.int("TELEMETRY_PARTITIONS", 4)
"""Partitions of the logs, by vehicle or meter. Fixed once readings have been taken in."""
TELEMETRY_INGRESS_MAX_BYTES = env.int("TELEMETRY_INGRESS_MAX_BYTES", 256 * 1024 * 1024)
"""Bound of one partition of the ingress log; beyond it the edge pushes back."""
TELEMETRY_STORED_MAX_BYTES = env.int("TELEMETRY_STORED_MAX_BYTES", 256 * 1024 * 1024)
"""Bound of one partition of the stored log; beyond it the oldest entries go."""
TELEMETRY_QUARANTINE_LOG_MAX_BYTES = env.int("TELEMETRY_QUARANTINE_LOG_MAX_BYTES", 64 * 1024 * 1024)
"""Bound of the log that carries refusals to their table; beyond it the edge pushes back."""
TELEMETRY_WRITER_BATCH = env.int("TELEMETRY_WRITER_BATCH", 5000)
"""About how many readings one transaction of the writer stores when there is a backlog."""
TELEMETRY_WRITER_LINGER_MS = env.int("TELEMETRY_WRITER_LINGER_MS", 20)
"""The writer begins a transaction no more often than this."""
TELEMETRY_DEVICE_WINDOW = env.int("TELEMETRY_DEVICE_WINDOW", 2000)
"""Readings a device may have unacknowledged in flight before its socket is no longer read."""
TELEMETRY_DEVICE_MAX_RATE = env.int("TELEMETRY_DEVICE_MAX_RATE", 5000)
"""Readings per second and connection; two seconds' worth may come at once; then close 4429."""
TELEMETRY_DEVICE_MAX_REFUSALS = env.int("TELEMETRY_DEVICE_MAX_REFUSALS", 200)
"""Refused readings per second and connection; ten seconds' worth may come at once."""
TELEMETRY_DEVICE_IDLE_S = env.int("TELEMETRY_DEVICE_IDLE_S", 600)
"""Seconds of silence after which a device's socket is closed with 4408."""
TELEMETRY_DEVICE_RECONCILE_S = env.float("TELEMETRY_DEVICE_RECONCILE_S", 5.0)
"""How often a process checks its open sockets against credentials and newer connections."""
TELEMETRY_HTTP_TIMEOUT_S = env.float("TELEMETRY_HTTP_TIMEOUT_S", 5.0)
"""How long HTTP ingest waits for the durable append before it answers 503."""
TELEMETRY_STREAMS_MAX = env.int("TELEMETRY_STREAMS_MAX", 1000)
"""Event streams that one web process keeps open."""
TELEMETRY_STREAMS_PER_TOKEN = env.int("TELEMETRY_STREAMS_PER_TOKEN", 20)
"""Event streams that one token or one person may have open, over all processes."""
TELEMETRY_WATCHED_DEVICES = env.int("TELEMETRY_WATCHED_DEVICES", 50)
"""Devices whose last frames are kept at once while somebody looks at them; 0: none ever."""
TELEMETRY_FUTURE_TOLERANCE_S = env.int("TELEMETRY_FUTURE_TOLERANCE_S", 300)
"""How far ahead of the server a device's clock may run before its reading is refused."""
TELEMETRY_RETENTION_DAYS = env.int("TELEMETRY_RETENTION_DAYS", 3650)
TELEMETRY_QUARANTINE_DAYS = env.int("TELEMETRY_QUARANTINE_DAYS", 90)
TELEMETRY_COLUMNSTORE_AFTER_DAYS = env.int("TELEMETRY_COLUMNSTORE_AFTER_DAYS", 7)
DEMO_SECRETS_DIR = env.path("DEMO_SECRETS_DIR", BASE_DIR / ".outrider")
"""Where the demonstration keeps its password and its simulated devices their credentials."""
TELEMETRY_ROUTES = [
    # Every reader of the stored log: adding one touches no other file.
    # name: consumer group; kinds: "v" vehicles, "m" meters; handler: called per batch.
    {"name": "live", "kinds": ["v", "m"], "handler": "telemetry.live.publish"},
    # Drained by Celery tasks, which keep their own checkpoints: see alerts/evaluation.py.
    {"name": "alerts", "kinds": ["v", "m"], "handler": "alerts.tasks.evaluate"},
]

PALETTE_SOURCES = ["alerts.palette.found"]
"""What Ctrl-K finds besides vehicles, meters, devices and fleets: `f(actor, wanted) -> list`."""
METRICS_TOKEN = env.str("METRICS_TOKEN", "")
"""Bearer token of /metrics; empty: only loopback may read it."""
TELEMETRY_TIMELINE_SOURCES = ["alerts.timeline.events"]
"""What tells more events of a vehicle's page: `f(vehicle, start, end) -> list[Event]`."""

# --- People ---------------------------------------------------------------------------
AUTH_USER_MODEL = "tenants.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "allauth.account.auth_backends.AuthenticationBackend",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.MinimumLengthValidator",
        "OPTIONS": {"min_length": 10},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_ADAPTER = "tenants.accounts.ClosedSignup"
MFA_ADAPTER = "tenants.accounts.SealedSecrets"
MFA_TOTP_ISSUER = "Outrider"
# An address is proven by the invitation that was sent to it.
MFA_ALLOW_UNVERIFIED_EMAIL = True
INVITATION_DAYS = env.int("INVITATION_DAYS", 7)
"""How long the link of an invitation works."""
ACCOUNT_RATE_LIMITS = {"login_failed": "10/m/ip,5/5m/key"}
ALLAUTH_TRUSTED_PROXY_COUNT = TRUSTED_PROXY_COUNT
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"

# --- API ------------------------------------------------------------------------------
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "tenants.api.authentication.TokenAuthentication",
        "tenants.api.authentication.MemberSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["tenants.api.permissions.HasScope"],
    "DEFAULT_RENDERER_CLASSES": ["config.rendering.ProblemAwareJSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["tenants.api.parsers.BoundedJSONParser"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "tenants.api.pagination.CursorPages",
    "DEFAULT_THROTTLE_CLASSES": ["tenants.api.throttling.PerToken"],
    "DEFAULT_THROTTLE_RATES": {"token": env.str("API_RATE", "600/min")},
    "DEFAULT_SCHEMA_CLASS": "config.openapi.ScopedSchema",
    "EXCEPTION_HANDLER": "config.problems.handle",
    "DEFAULT_VERSIONING_CLASS": None,
    "PAGE_SIZE": 100,
    "COERCE_DECIMAL_TO_STRING": False,
}
API_MAX_BODY_BYTES = env.int("API_MAX_BODY_BYTES", 1024 * 1024)
"""Largest JSON body of the API, telemetry ingest aside; beyond it 413."""
SPECTACULAR_SETTINGS = {
    "TITLE": "Outrider",
    "DESCRIPTION": "Live telemetry of vehicles and charging meters.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "SERVE_INCLUDE_SCHEMA": False,
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "REDOC_DIST": "SIDECAR",
    "SCHEMA_PATH_PREFIX": "/v1/",
    "COMPONENT_SPLIT_REQUEST": True,
    # It only asks for empty querysets; `objects` would rightly refuse.
    "DEFAULT_QUERY_MANAGER": "_default_manager",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "config.openapi.describe_errors",
        "telemetry.api.schema.describe_ingest",
        "telemetry.api.stream_schema.describe_stream",
    ],
    "ENUM_NAME_OVERRIDES": {
        "Role": "tenants.models.Role",
        "Scope": "tenants.models.Scope",
        "Units": "tenants.models.Units",
        "VehicleKind": "fleet.models.VehicleKind",
        "ChannelKind": "alerts.models.ChannelKind",
        "RuleKind": "alerts.kinds.CHOICES",
    },
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
}

# --- Pages ----------------------------------------------------------------------------
LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = True
LOCALE_PATHS = [BASE_DIR / "locale"]
# English, and every language that has a catalogue: a new folder is a new language.
LANGUAGES = [
    ("en", "English"),
    *(
        (folder.parent.name.lower().replace("_", "-"), folder.parent.name)
        for folder in sorted((BASE_DIR / "locale").glob("*/LC_MESSAGES"))
    ),
]
STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "config.finders.PublishedPackages",
]
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": env.str(
            "STATICFILES_BACKEND",
            # Tests need no collected files; the browser tests collect and say so.
            "django.contrib.staticfiles.storage.StaticFilesStorage"
            if os.environ.get("PYTEST_VERSION")
            else "whitenoise.storage.CompressedManifestStaticFilesStorage",
        )
    },
}
UNFOLD = DESK
MAP_STYLE_URL = env.str("MAP_STYLE_URL", "https://tiles.openfreemap.org/styles/positron")
MAP_STYLE_DARK_URL = env.str("MAP_STYLE_DARK_URL", "https://tiles.openfreemap.org/styles/dark")
"""Empty, or out of reach: the page draws its own map of coasts, borders and places."""
CONTENT_SECURITY_POLICY = {
    "EXCLUDE_URL_PREFIXES": ["/admin/"],
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF, NONCE],
        "style-src": [SELF, "'unsafe-inline'"],
        "img-src": [SELF, "data:", "blob:", "https:"],
        "connect-src": [SELF, "https:", "ws:", "wss:"],
        "worker-src": [SELF, "blob:"],
        "font-src": [SELF],
        "object-src": [NONE],
        "base-uri": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 16 * 1024 * 1024

# --- Mail -----------------------------------------------------------------------------
globals().update(mail_settings(env.str("EMAIL_URL", "smtp://localhost:25")))
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", "Outrider <outrider@localhost>")

# --- Logs -----------------------------------------------------------------------------
from config.logs import configure  # noqa: E402  (needs PROCESS)

LOGGING = configure(level=env.str("LOG_LEVEL", "INFO"), as_json=env.bool("LOG_JSON", True))
DJANGO_STRUCTLOG_CELERY_ENABLED = False
# ProblemMiddleware has checked it, or made it.
DJANGO_STRUCTLOG_TRUST_UPSTREAM_REQUEST_ID = True

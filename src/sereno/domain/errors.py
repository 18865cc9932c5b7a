"""The error tree: one class per thing a caller can do something about.

    SerenoError
    ├── UsageError            the request itself makes no sense            exit 2
    │   ├── InvalidCorrection, InvalidSilence, ShelvingTooLong, ReasonMissing, ExtraMissing
    │   ├── OrganizationNameInvalid, OrganizationExists, UserExists, PasswordRefused
    │   ├── AddressRefused, SecretReferenceRefused
    │   ├── InvalidQuery, RequestMalformed, RequestRefused, PathUnknown, MethodRefused
    │   ├── TooManyJobs, JobOver
    │   └── KeyReused, AddressTaken, RoleNeedsServer, NotYet, SplitRefused
    ├── DataError             a file or record cannot be used              exit 3
    │   ├── FileMissing, FileUnreadable, EmptyFile, CorruptFile, FileTooLarge, UnsupportedFormat
    │   ├── NoFiles, MissingColumns, MappingMisfit, NoReadings
    │   ├── UnknownAsset, UnknownSignal, AmbiguousData
    │   ├── InvalidRecord
    │   └── BodyUnreadable, BodyTooLarge, RequestUnsupported
    ├── AccessError           who asks may not, or asks too much           exit 4
    │   ├── NotAuthenticated, LoginFailed, LinkInvalid, NotPermitted, WriteNotConfirmed
    │   └── HostUnknown, TooManyRequests, RequestTooLarge, RequestTooDeep, HeadersTooLarge
    ├── SettingsError         sereno.yaml, profiles or environment         exit 4
    │   ├── DetectorUnknown, DetectorOptionUnknown, DetectorMisconfigured
    │   ├── ForecasterUnknown, ForecasterMisconfigured
    │   ├── SenderUnknown, SenderOptionUnknown, SenderMisconfigured
    │   └── SourceUnknown, SourceOptionUnknown, SourceMisconfigured
    ├── StoreError            database, disk, lease, version               exit 5
    │   ├── StoreNewer, StoreOlder, UpgradeFailed, StoreUnreachable, DiskFull
    │   ├── EngineRunning, LeaseTaken, LeaseLost
    │   ├── BackupCorrupt, BackupNewer, BackupMisfit, WorkspaceNotEmpty
    │   ├── NotFound, and of it ModelUnclear, NoVersionBefore
    │   └── IncidentChanged
    ├── Busy                  too much at once, or about to end: try again  exit 5
    │   └── QueueFull, Stopping, TooSlow, EngineLost
    ├── SystemRefused         a path cannot be read or written             exit 5
    ├── WorkerLost, ExecutorUnreachable                                    exit 5
    ├── SourceUnreachable     what readings come from does not answer      exit 5
    ├── JobBroken, InternalFault                                           exit 70
    └── ModelError            artefacts and training                       exit 5
        ├── ModelMissing, ModelCorrupt, HistoryTooShort, ForecastMissing, PromotionRefused
        ├── PinnedVersionMissing, VersionPinned
        └── ForecasterMissing, NothingToForecast, StepUnsupported

Every class has a stable `code`, an English `template` with named placeholders, and keyword facts that
fill it. The Spanish sentence lives in the catalogue under the same code.
"""

from collections.abc import Callable, Mapping
from typing import ClassVar

__all__ = [
    "AccessError",
    "AddressRefused",
    "AmbiguousData",
    "BackupCorrupt",
    "BackupMisfit",
    "BackupNewer",
    "BudgetTooSmall",
    "Busy",
    "CorruptFile",
    "DataError",
    "DetectorMisconfigured",
    "DetectorOptionUnknown",
    "DetectorUnknown",
    "DiskFull",
    "EmptyFile",
    "EngineLost",
    "EngineRunning",
    "ExecutorUnreachable",
    "ExportTargetTaken",
    "ExtraMissing",
    "Fact",
    "FileMissing",
    "FileTooLarge",
    "FileUnreadable",
    "ForcingNeedsReason",
    "ForecastMissing",
    "ForecasterMisconfigured",
    "ForecasterMissing",
    "ForecasterUnknown",
    "HeadersTooLarge",
    "HistoryTooShort",
    "HostUnknown",
    "IncidentChanged",
    "InternalFault",
    "InvalidCorrection",
    "InvalidQuery",
    "InvalidRecord",
    "InvalidSilence",
    "JobBroken",
    "JobOver",
    "LeaseLost",
    "LeaseTaken",
    "LinkInvalid",
    "LoginFailed",
    "MappingMisfit",
    "MethodRefused",
    "MissingColumns",
    "ModelCorrupt",
    "ModelError",
    "ModelMissing",
    "NoFiles",
    "NoReadings",
    "NotAuthenticated",
    "NotFound",
    "NotPermitted",
    "NothingToForecast",
    "OrganizationExists",
    "OrganizationNameInvalid",
    "PasswordRefused",
    "PathUnknown",
    "PdfUnavailable",
    "PinnedVersionMissing",
    "PromotionRefused",
    "PromotionTooEarly",
    "ReasonMissing",
    "RequestMalformed",
    "RequestRefused",
    "RequestTooDeep",
    "RequestTooLarge",
    "SecretReferenceRefused",
    "SenderMisconfigured",
    "SenderOptionUnknown",
    "SenderUnknown",
    "SerenoError",
    "SettingsError",
    "ShelvingTooLong",
    "SourceMisconfigured",
    "SourceOptionUnknown",
    "SourceUnknown",
    "SourceUnreachable",
    "SplitRefused",
    "StepUnsupported",
    "StoreError",
    "StoreNewer",
    "StoreOlder",
    "StoreUnreachable",
    "SystemRefused",
    "TooManyJobs",
    "TooManyRequests",
    "UnknownAsset",
    "UnknownSignal",
    "UnsupportedFormat",
    "UpgradeFailed",
    "UsageError",
    "UserExists",
    "VersionPinned",
    "WorkerLost",
    "WorkspaceNotEmpty",
    "WriteNotConfirmed",
]


Fact = str | int | float | bool | None


class SerenoError(Exception):
    """Root of everything sereno raises on purpose.

    Args:
        **facts: What was found and where; each placeholder of `template` must be given.
    """

    code: ClassVar[str] = "internal"
    template: ClassVar[str] = "Something inside sereno went wrong: {detail}."
    exit_code: ClassVar[int] = 70
    is_retriable: ClassVar[bool] = False

    def __init__(self, **facts: Fact) -> None:
        self.facts: Mapping[str, Fact] = facts
        super().__init__(self.template.format(**facts).strip())

    def __reduce__(self) -> tuple[Callable[..., "SerenoError"], tuple[type["SerenoError"], dict[str, Fact]]]:
        return _raised_again, (type(self), dict(self.facts))


def _raised_again(kind: type[SerenoError], facts: Mapping[str, Fact]) -> SerenoError:
    """An error that came from another process."""
    return kind(**facts)


class UsageError(SerenoError):
    """The request contradicts itself or names something that does not exist."""

    code = "usage"
    template = "{detail}. See `sereno {command} --help`."
    exit_code = 2


class InvalidCorrection(UsageError):
    """A correction that makes no sense."""

    code = "correction.invalid"
    template = "The correction cannot be made: {detail}. Nothing was changed."


class InvalidSilence(UsageError):
    """A silence that makes no sense."""

    code = "silence.invalid"
    template = "The silence cannot be made: {detail}. Nothing was changed."


class ShelvingTooLong(UsageError):
    """Nothing is put aside for longer than a day."""

    code = "incident.shelving_too_long"
    template = (
        "An incident is shelved for {most} hours at most, so that it always returns: {asked} were asked for. "
        "Shelve it for less, or silence what is planned with `sereno silences add`."
    )


class ReasonMissing(UsageError):
    """Who puts an incident aside says why."""

    code = "incident.reason_missing"
    template = "Shelving {incident} needs a reason. Say why with --reason; nothing was changed."


class ExtraMissing(UsageError):
    """What was asked for needs an optional part that is not installed."""

    code = "extra.missing"
    template = "{feature} needs the extra '{extra}'. Install it: pip install 'sereno[{extra}]'."


class PdfUnavailable(UsageError):
    """Nothing on this machine prints a page."""

    code = "report.no_pdf"
    template = (
        "The report cannot be printed as PDF here: {detail}. Install Chromium, or take the HTML file and "
        "print it from any browser."
    )


class OrganizationNameInvalid(UsageError):
    """The name of an organization is also that of a folder, and stands in addresses."""

    code = "organization.name_invalid"
    template = (
        "'{name}' cannot be the name of an organization. Use 1 to 40 lower-case letters without accents, "
        "digits, '-' and '_', beginning with a letter or digit; nothing was changed."
    )


class OrganizationExists(UsageError):
    """There is an organization, or a folder, of that name."""

    code = "organization.exists"
    template = "There is an organization or folder '{name}' already. Choose another name."


class UserExists(UsageError):
    """There is a user of that name."""

    code = "user.exists"
    template = "There is a user '{name}' already. Choose another name, or change that one."


class PasswordRefused(UsageError):
    """A password is too short to be one."""

    code = "user.password_refused"
    template = "The password is too short or too long: between {least} and {most} characters are needed."


class AddressRefused(UsageError):
    """An address inside this network was given by somebody who cannot see it."""

    code = "address.refused"
    template = (
        "'{host}' is not an address that can be used from here: it leads into this network or nowhere. "
        "Whoever runs sereno can declare it in sereno.yaml."
    )


class SecretReferenceRefused(UsageError):
    """A reference to a secret of this machine was given by somebody who cannot see it."""

    code = "secret.reference_refused"
    template = (
        "'{option}' refers to a variable or file of the machine that runs sereno. Only whoever runs it can "
        "say so, in sereno.yaml."
    )


class AccessError(SerenoError):
    """Who asks may not, or asks too much."""

    code = "access.refused"
    template = "This is not allowed: {detail}."
    exit_code = 4


class NotAuthenticated(AccessError):
    """Nobody knows who asks."""

    code = "access.not_authenticated"
    template = (
        "This needs a valid key or a login. Send the key as `Authorization: Bearer ser_…`, or log in at "
        "/login."
    )


class LoginFailed(AccessError):
    """Name and password do not fit, for whatever reason."""

    code = "access.login_failed"
    template = "Name and password do not fit together. Try again, or ask an administrator for a new link."


class LinkInvalid(AccessError):
    """A one-time link was used, is over, or never was."""

    code = "access.link_invalid"
    template = "This link was used before or is no longer valid. Ask an administrator for a new one."


class NotPermitted(AccessError):
    """Who asks is known and may not do this."""

    code = "access.not_permitted"
    template = (
        "'{name}' has the role {role}, and this needs {needed}. Ask an administrator of {organization}."
    )


class WriteNotConfirmed(AccessError):
    """A browser sent a write that no page of ours asked for."""

    code = "access.write_not_confirmed"
    template = (
        "The request does not come from a page of this service ({detail}). Load the page again and repeat; "
        "programs use a key instead of a session."
    )


class HostUnknown(AccessError):
    """The service was asked under a name that it does not answer to."""

    code = "access.host_unknown"
    template = (
        "This service is not known as '{host}'. Whoever runs it can add the name to `service.allowed_hosts` "
        "in sereno.yaml."
    )


class TooManyRequests(AccessError):
    """More requests in a short time than the limits allow."""

    code = "access.too_many_requests"
    template = "Too many requests. Try again in {retry_after} s."
    is_retriable = True


class RequestTooLarge(AccessError):
    """The body of a request is larger than the limits allow."""

    code = "request.too_large"
    template = "The body of the request is larger than {most} bytes. Send it in parts."


class RequestTooDeep(AccessError):
    """JSON is nested deeper than the limits allow."""

    code = "request.too_deep"
    template = "The JSON of the request is nested deeper than {most} levels."


class HeadersTooLarge(AccessError):
    """The headers of a request are larger than the limits allow."""

    code = "request.headers_too_large"
    template = "The headers of the request are larger than {most} bytes."


class InvalidQuery(UsageError):
    """A parameter of a request cannot be what it is."""

    code = "request.invalid"
    template = "{where}: {detail}."


class RequestMalformed(UsageError):
    """A request does not fit its description."""

    code = "request.malformed"
    template = "{count} things in the request are not as they should be: see `errors`."


class PathUnknown(UsageError):
    """Nothing is found under an address."""

    code = "request.path_unknown"
    template = "There is nothing at {path}. The resources are listed at /docs."


class MethodRefused(UsageError):
    """An address does not take a method."""

    code = "request.method"
    template = "{path} does not take {method}. What it takes is listed at /docs."


class RequestRefused(UsageError):
    """A request cannot be read at all."""

    code = "request.refused"
    template = "The request cannot be answered: {detail}."


class TooManyJobs(UsageError):
    """Nothing more can be asked for now."""

    code = "job.too_many"
    template = "{count} jobs wait already. Wait until one has ended, or cancel one."
    is_retriable = True


class JobOver(UsageError):
    """A job that has ended cannot be ended."""

    code = "job.over"
    template = "The job '{id}' has ended already: it is {state}."


class KeyReused(UsageError):
    """The key of an earlier request came with another content."""

    code = "request.key_reused"
    template = (
        "The Idempotency-Key '{key}' belongs to an earlier request with another content. Repeat that one as "
        "it was, or send this one under a new key; nothing was stored."
    )


class AddressTaken(UsageError):
    """Nobody can listen where a server should."""

    code = "serve.address"
    template = "sereno cannot listen on {host}:{port}: {detail}. Choose another with --host or --port."


class RoleNeedsServer(UsageError):
    """Parts of a service share a store only on a server."""

    code = "serve.role"
    template = (
        "The role '{role}' needs a store that several processes share, and that of {workspace} is embedded. "
        "Name a PostgreSQL address under `store.url`, or serve with --role all."
    )


class Busy(SerenoError):
    """Not now: the same request can be made again."""

    code = "busy"
    template = "sereno cannot take more at the moment: {detail}. Try again in {retry_after_s} s."
    exit_code = 5
    is_retriable = True


class QueueFull(Busy):
    """More waits than can be held."""

    code = "busy.queue_full"
    template = (
        "{waiting} records wait for their turn, and no more are taken until there is room. Nothing of this "
        "request was stored; send it again in {retry_after_s} s."
    )


class Stopping(Busy):
    """The service is about to end."""

    code = "busy.stopping"
    template = (
        "sereno is stopping and takes nothing new. Nothing of this request was stored; send it again in "
        "{retry_after_s} s."
    )


class TooSlow(Busy):
    """A request waited longer than it may."""

    code = "busy.too_slow"
    template = (
        "The request waited {waited_s} s for its turn and was given up. Nothing of it was stored; send it "
        "again in {retry_after_s} s."
    )


class EngineLost(Busy):
    """The process that does what requests ask for ended over one."""

    code = "busy.engine_lost"
    template = (
        "The process that judges ended {attempts} times over this request, the last time with {code}. Send "
        "it again in {retry_after_s} s: what is stored of it already is not stored twice. If it ends again, "
        "memory ran out or this request is at fault; the log says more."
    )


class DataError(SerenoError):
    """A file or record cannot be used at all."""

    code = "data"
    template = "The data in {file} cannot be used: {detail}."
    exit_code = 3


class FileMissing(DataError):
    """The path does not exist."""

    code = "read.missing"
    template = "There is no file or folder '{file}'. Check the path."


class NoFiles(DataError):
    """A folder holds no file that could be data."""

    code = "read.no_files"
    template = "'{folder}' holds no file that sereno reads ({found}). It reads {known}."


class FileUnreadable(DataError):
    """The operating system refuses to open the file."""

    code = "read.no_permission"
    template = "'{file}' cannot be opened: {detail}. Give the user that runs sereno permission to read it."


class EmptyFile(DataError):
    """The file has no content."""

    code = "read.empty"
    template = "'{file}' is empty (0 bytes of content). Export it again from its origin."


class CorruptFile(DataError):
    """The content is cut, damaged or of another kind."""

    code = "read.corrupt"
    template = "'{file}' is damaged or not what its name says: {detail}. Export it again from its origin."


class FileTooLarge(DataError):
    """A size limit was reached while reading."""

    code = "read.too_large"
    template = (
        "'{file}' exceeds a limit: {detail}. Split it, or raise the limit under `limits` in sereno.yaml."
    )


class UnsupportedFormat(DataError):
    """The format is not supported."""

    code = "read.unsupported"
    template = "'{file}' has a format that is not read yet: {detail}. Save it as CSV."


class MissingColumns(DataError):
    """No column could be matched to a signal."""

    code = "read.missing_columns"
    template = "No column of {file} is a signal of profile '{profile}': found {found}. {hint}"


class MappingMisfit(DataError):
    """A saved mapping says something of the file that is not so."""

    code = "read.mapping_misfit"
    template = (
        "Mapping '{mapping}' does not fit {file}: {detail}. Correct it under `mappings` in sereno.yaml, or "
        "read the file without it."
    )


class NoReadings(DataError):
    """Everything in the file was rejected."""

    code = "read.no_readings"
    template = "{file} holds no reading that could be stored: {detail}."


class AmbiguousData(DataError):
    """Two readings of the file fit; a setting must decide."""

    code = "read.ambiguous"
    template = "{file} can be read in two ways: {detail}. Say which with {setting}."


class UnknownAsset(DataError):
    """The named asset is not in the workspace."""

    code = "asset.unknown"
    template = "There is no asset '{asset}' here. {hint}"


class UnknownSignal(DataError):
    """The asset has no values of a signal of that name."""

    code = "signal.unknown"
    template = "'{asset}' has no values of a signal '{signal}'. It has: {known}."


class InvalidRecord(DataError):
    """A single record lacks what judgement needs."""

    code = "record.invalid"
    template = "The record cannot be judged: {detail}."


class BodyUnreadable(DataError):
    """The body of a request is not what it says."""

    code = "request.unreadable"
    template = "The body cannot be read: {detail}. Nothing of it was stored."


class BodyTooLarge(DataError):
    """The body of a request passes a limit."""

    code = "request.body_too_large"
    template = "The body is too large: {detail}. Send it in several requests; nothing of it was stored."


class RequestUnsupported(DataError):
    """The body of a request is of a kind that is not read."""

    code = "request.unsupported"
    template = "A body of type '{found}' is not read. Send one of {known}."


class SettingsError(SerenoError):
    """A setting is unknown or out of bounds."""

    code = "settings.invalid"
    template = "{where}: {detail}. {hint}"
    exit_code = 4


class DetectorUnknown(SettingsError):
    """A detector was asked for that is not there."""

    code = "detector.unknown"
    template = "{where}: there is no detector '{name}'. There are: {known}."


class DetectorOptionUnknown(SettingsError):
    """A detector was given an option that it does not have."""

    code = "detector.option_unknown"
    template = "{where}: the detector '{name}' has no option '{option}'. It has: {known}."


class DetectorMisconfigured(SettingsError):
    """A detector was asked for in a way that it cannot be."""

    code = "detector.misconfigured"
    template = "{where}: the detector '{name}' cannot be used so: {detail}."


class ForecasterUnknown(SettingsError):
    """There is no forecaster of that name here."""

    code = "forecaster.unknown"
    template = "There is no forecaster '{name}'. Known here: {known}."


class ForecasterMisconfigured(SettingsError):
    """A forecaster cannot be built from the options given."""

    code = "forecaster.misconfigured"
    template = "The forecaster '{name}' cannot be used: {detail}. Correct its options."


class SenderUnknown(SettingsError):
    """A receiver has a kind that is not there."""

    code = "sender.unknown"
    template = "{where}: there is no kind of receiver '{kind}'. There are: {known}."


class SenderOptionUnknown(SettingsError):
    """A receiver was given an option that its kind does not have."""

    code = "sender.option_unknown"
    template = "{where}: a receiver of kind '{kind}' has no option '{option}'. It has: {known}."


class SenderMisconfigured(SettingsError):
    """An option of a receiver is missing or cannot be so."""

    code = "sender.misconfigured"
    template = "{where}: {detail}. Correct it in sereno.yaml."


class SourceUnknown(SettingsError):
    """A source has a kind that is not there."""

    code = "source.unknown"
    template = "{where}: there is no kind of source '{kind}'. There are: {known}."


class SourceOptionUnknown(SettingsError):
    """A source was given an option that its kind does not have."""

    code = "source.option_unknown"
    template = "{where}: a source of kind '{kind}' has no option '{option}'. It has: {known}."


class SourceMisconfigured(SettingsError):
    """An option of a source is missing or cannot be so."""

    code = "source.misconfigured"
    template = "{where}: {detail}. Correct it in sereno.yaml."


class SourceUnreachable(SerenoError):
    """What readings come from does not answer, or refuses us."""

    code = "source.unreachable"
    template = (
        "{address} cannot be read: {detail}. Check that it runs, its address and our rights there; then "
        "`sereno sources test`."
    )
    exit_code = 5
    is_retriable = True


class StoreError(SerenoError):
    """The database refused or failed."""

    code = "store.failed"
    template = "The store '{store}' failed: {detail}."
    exit_code = 5


class StoreNewer(StoreError):
    """The schema is from a newer version."""

    code = "store.newer"
    template = (
        "The store '{store}' was written by a newer sereno (schema {found}; this one knows {known}). Upgrade "
        "sereno; nothing was changed."
    )


class StoreOlder(StoreError):
    """The schema is from an older version, and migrating it is for somebody to decide."""

    code = "store.older"
    template = (
        "The store '{store}' was written by an older sereno (schema {found}; this one needs {known}). Run "
        "`sereno upgrade`, which makes a backup first; nothing was changed."
    )


class UpgradeFailed(StoreError):
    """A migration failed; the store is as it was."""

    code = "store.upgrade_failed"
    template = (
        "The store '{store}' could not be upgraded: {detail}. It is as it was, with schema {found}; "
        "a backup of it is {backup}."
    )


class BackupCorrupt(StoreError):
    """An archive is cut, altered, or none of ours."""

    code = "backup.corrupt"
    template = "'{file}' is not a complete backup: {detail}. Use another one; nothing was changed."


class BackupNewer(StoreError):
    """An archive was written by a newer version."""

    code = "backup.newer"
    template = (
        "The backup '{file}' was written by a newer sereno ({version}, schema {found}; this one knows "
        "{known}). Upgrade sereno and restore again; nothing was changed."
    )


class BackupMisfit(StoreError):
    """An archive of one kind of database cannot fill the other."""

    code = "backup.misfit"
    template = (
        "The backup '{file}' is of a {found} store and the settings of {workspace} name a {wanted} one. "
        "Restore into a workspace whose `store` is {found}; nothing was changed."
    )


class WorkspaceNotEmpty(StoreError):
    """Restoring would replace what is there, and nobody said so."""

    code = "backup.not_empty"
    template = (
        "{workspace} holds data already. Restore into an empty folder, or add --replace, which keeps what "
        "it replaces under backups/. Nothing was changed."
    )


class LeaseTaken(StoreError):
    """Another engine is at it; it will be done, or free again when its lease ends."""

    code = "store.lease_taken"
    template = (
        "'{name}' is in the hands of another engine ({owner}). It is tried again when that one is done."
    )
    is_retriable = True


class LeaseLost(StoreError):
    """This engine was taken for dead and another one goes on; nothing of this one's batch was stored."""

    code = "store.lease_lost"
    template = (
        "The lease of '{name}' went to another engine while this one was away. Nothing of its batch was "
        "stored; the other one goes on."
    )
    is_retriable = True


class StoreUnreachable(StoreError):
    """The database does not answer."""

    code = "store.unreachable"
    template = "The store '{store}' cannot be reached: {detail}. Check its address and that it is running."
    is_retriable = True


class DiskFull(StoreError):
    """The disk of the store, or that of temporary files, is full."""

    code = "store.disk_full"
    template = (
        "There is no space left at '{store}'. Free some and repeat: what was acknowledged is safe, nothing "
        "is half-written."
    )
    is_retriable = True


class EngineRunning(StoreError):
    """The workspace's lease is held by another process."""

    code = "store.engine_running"
    template = (
        "Another sereno engine already runs on {workspace} ({holder}). A workspace has one engine at a time: "
        "stop that one first."
    )


class NotFound(StoreError):
    """An id names nothing."""

    code = "store.not_found"
    template = "There is no {what} '{id}' in this workspace. {hint}"


class ModelUnclear(NotFound):
    """More than one profile has a model, and none was named."""

    code = "model.which"
    template = "Several have a model: {profiles}. Say whose is meant with --profile."


class NoVersionBefore(NotFound):
    """There is nothing to go back to."""

    code = "model.nothing_before"
    template = (
        "Nothing judged {profile} before the version of now. `sereno models versions` lists what there is; "
        "`sereno models promote ID` lets one of them judge."
    )


class IncidentChanged(StoreError):
    """Somebody else was faster."""

    code = "incident.changed"
    template = (
        "Somebody has done something to the incident {id} since you looked at it. Look again and repeat."
    )


class JobBroken(SerenoError):
    """The process of a job ended without saying why."""

    code = "job.broken"
    template = "The process of the job ended with {code} and said nothing. Look into the log, then repeat."


class WorkerLost(SerenoError):
    """A part of the work has ended its worker time and again."""

    code = "executor.worker_lost"
    template = (
        "Block {block} has ended its worker {attempts} times, mostly because memory ran out. What was "
        "finished is kept. Use smaller blocks (`executor.block_assets`), fewer workers or more memory, then "
        "repeat."
    )
    exit_code = 5


class ExecutorUnreachable(SerenoError):
    """The engine that shall do the work does not answer."""

    code = "executor.unreachable"
    template = (
        "The engine at {address} cannot be used: {detail}. Check that it runs and `executor.address` in "
        "sereno.yaml."
    )
    exit_code = 5
    is_retriable = True


class InternalFault(SerenoError):
    """A fault of ours, of which the log knows more."""

    code = "fault"
    template = "Something inside sereno failed. The log says more under {id}."


class SystemRefused(SerenoError):
    """The operating system refuses to read or write a path that somebody named."""

    code = "system.refused"
    template = "The system refuses '{file}': {detail}. Check the path and its permissions."
    exit_code = 5


class ModelError(SerenoError):
    """A model cannot be used."""

    code = "model.failed"
    template = "The model {model} cannot be used: {detail}."
    exit_code = 5


class ModelMissing(ModelError):
    """Nothing has been trained yet."""

    code = "model.missing"
    template = "There is no trained model in {workspace}. Train one with `sereno train`."


class ModelCorrupt(ModelError):
    """The artefact's digest or form is wrong."""

    code = "model.corrupt"
    template = (
        "'{file}' is not a sereno model or was altered: {detail}. Train again with `sereno train`; a pickle "
        "is never loaded."
    )


class ForecasterMissing(ModelError):
    """No forecaster of loads has been learnt."""

    code = "forecaster.missing"
    template = (
        "There is no trained forecaster of loads in {workspace}. Ingest readings of power or energy and "
        "learn one with `sereno forecast --profile load`."
    )


class PromotionRefused(ModelError):
    """A version that was not better on days that neither it nor the champion had seen."""

    code = "model.promotion_refused"
    template = (
        "{model} does not replace {champion}: on {days} days that neither has seen it is not better "
        "(difference of loss {difference}, 95 % between {low} and {high}; below 0 is better). Nothing was "
        "changed. Train another, or insist with --force --reason."
    )


class PromotionTooEarly(PromotionRefused):
    """A version of which nobody can tell yet whether it is better."""

    code = "model.promotion_too_early"
    template = (
        "{model} does not replace {champion}: there are {days} whole days that neither has seen, and a "
        "comparison needs {wanted}. Nothing was changed. Wait for them, or insist with --force --reason."
    )


class PinnedVersionMissing(ModelError):
    """Settings name a version of a model that is not there."""

    code = "model.pin_missing"
    template = (
        "model_version names '{version}', and there is no such version, or several begin so. "
        "There are: {known}. Correct MODEL_VERSION or model_version in sereno.yaml, or empty it."
    )


class VersionPinned(ModelError):
    """Another version cannot take over while settings name one."""

    code = "model.pinned"
    template = (
        "{model} is pinned for {profile}: nothing else judges or forecasts there while MODEL_VERSION, or "
        "model_version in sereno.yaml, names it. Change it there; nothing was changed."
    )


class ForcingNeedsReason(UsageError):
    """Who promotes a version that was not compared says why."""

    code = "model.force_needs_reason"
    template = "Forcing {model} needs a reason. Say why with --reason; nothing was changed."


class ExportTargetTaken(UsageError):
    """A folder to export to that holds something already."""

    code = "export.target_taken"
    template = "'{folder}' is not empty. Name another folder, or empty it; nothing was written."


class ForecastMissing(ModelError):
    """Nothing has been forecast."""

    code = "forecast.missing"
    template = "There is no forecast of {asset}. Make one: `sereno forecast`."


class NothingToForecast(ModelError):
    """A window without any value to forecast from."""

    code = "forecast.nothing"
    template = (
        "{signal} of {asset} cannot be forecast at {origin}: it has no sound value before. "
        "Ingest readings, or ask for a later origin."
    )


class SplitRefused(UsageError):
    """A split that lets a model see what it is tested on."""

    code = "forecast.split"
    template = (
        "A {found} split of a time series is refused: neighbouring rows are nearly equal, so rows "
        "of the test stand in the training and the error comes out several times too small. Use a rolling "
        "origin: each forecast is made from what was available then."
    )


class StepUnsupported(ModelError):
    """Meters that cannot be forecast together."""

    code = "forecast.step"
    template = (
        "Meters are forecast together when they have one step that parts a day evenly: found {found}. "
        "Choose assets of one step, from one minute to one day."
    )


class HistoryTooShort(ModelError):
    """Too few rows to learn."""

    code = "model.history_too_short"
    template = (
        "There is not enough history to learn from: {found}. Needed: {needed}. Ingest more and train again."
    )


class BudgetTooSmall(ModelError):
    """The history cannot support the requested false-alarm budget."""

    code = "model.budget_too_small"
    template = (
        "A budget of {asked} false episodes per week and asset cannot be promised with {weeks} asset-weeks "
        "of "
        "history. The smallest it supports is {supported}."
    )

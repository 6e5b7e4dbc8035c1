"""What can be wrong with a ledger, a proof, a note or an entry. All fail closed."""

from __future__ import annotations

from consentry.errors import ConsentryError, InvalidInput, NotFound, Unavailable


class LedgerError(ConsentryError):
    """Something about the ledger does not hold."""

    code = "ledger_error"


class ProofInvalid(LedgerError):
    """A Merkle proof does not lead from the given hashes to the given root."""

    code = "proof_invalid"


class NoteInvalid(LedgerError):
    """A signed note or key is malformed, or a known key's signature does not verify."""

    code = "note_invalid"


class KeyUnknown(NoteInvalid):
    """A note is well formed, but none of its signatures is by a key that we were given."""

    code = "key_unknown"


class CheckpointInvalid(LedgerError):
    """The text of a note is not a checkpoint, or not one of this log."""

    code = "checkpoint_invalid"


class TileInvalid(LedgerError):
    """A tile path or the bytes of a tile or entry bundle are malformed."""

    code = "tile_invalid"


class TileMissing(LedgerError, NotFound):
    """A tile or entry bundle that the tree must have is not there."""

    code = "tile_missing"
    status = NotFound.status


class EntryInvalid(LedgerError, InvalidInput):
    """An entry does not follow the grammar of its type."""

    code = "entry_invalid"
    status = InvalidInput.status


class CommitmentMismatch(LedgerError):
    """A disclosed value and salt do not open the commitment."""

    code = "commitment_mismatch"


class ReceiptInvalid(LedgerError):
    """A receipt or bundle cannot be read as one."""

    code = "receipt_invalid"


class LedgerBehind(LedgerError, Unavailable):
    """The database holds less of the log than a checkpoint that was already published."""

    code = "ledger_behind"
    status = Unavailable.status


class LedgerForked(LedgerError, Unavailable):
    """The database holds another history than a checkpoint that was already published."""

    code = "ledger_forked"
    status = Unavailable.status


class KeeperUnavailable(LedgerError, Unavailable):
    """The place outside the database where checkpoints are kept cannot be read or written."""

    code = "keeper_unavailable"
    status = Unavailable.status


class JournalUnavailable(LedgerError, Unavailable):
    """A record could not be written to the journal; its action must be denied."""

    code = "journal_unavailable"
    status = Unavailable.status

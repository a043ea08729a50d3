"""Publisher: draws noise, keeps the ledger, writes into the datasite. Nothing else of the project does."""

__version__ = "1.0.0"

"""Publisher: draws noise, keeps the ledger, writes into the datasite. Nothing else of the project does."""

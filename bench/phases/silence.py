def hundred_thousand(folder, options):
    raise NotImplementedError

"""``supertune augment``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from supertune.cli import asking, options
from supertune.cli.options import row_values


def augment(
    data: Annotated[
        str,
        typer.Argument(metavar="DATA|AUGMENTATION", help="Rows in any format that train reads, or augmentation.yaml."),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", help="Folder to write; must not exist or be empty. None: only tell what would be done."),
    ] = None,
    by: Annotated[
        list[str] | None,
        typer.Option("--by", help="An augmenter, by name or with options: --by synonyms --by 'ocr: {share: 0.2}'."),
    ] = None,
    copies: Annotated[
        int | None, typer.Option("--copies", min=1, max=100, help="New rows of each row by each augmenter; none: 1.")
    ] = None,
    balance: Annotated[bool, typer.Option("--balance", help="Only bring each class up to the largest.")] = False,
    rows_per_class: Annotated[
        int | None, typer.Option("--rows-per-class", min=1, help="Only bring each class up to so many rows.")
    ] = None,
    protect: Annotated[
        list[str] | None, typer.Option("--protect", help="Regular expression; what it matches stays as it is.")
    ] = None,
    keep_labels: Annotated[
        bool, typer.Option("--keep-labels", help="Leave out new rows that a frozen encoder reads as another label.")
    ] = False,
    seed: Annotated[int | None, typer.Option("--seed", min=0, max=2**32 - 1, help="Chooses what is changed.")] = None,
    measure: Annotated[
        int | None,
        typer.Option(
            "--measure",
            metavar="N",
            help="Train with and without the new rows on N divisions of the training rows, and tell whether they help.",
        ),
    ] = None,
    model: options.Model = None,
    file_format: Annotated[str, typer.Option("--format", metavar="jsonl|parquet|csv", help="Format of the rows.")] = (
        "jsonl"
    ),
    validation: options.Validation = None,
    test: options.Test = None,
    text: options.Text = None,
    label: options.Label = None,
    pair: options.Pair = None,
    task: options.Task = None,
    on_bad_row: options.OnBadRow = None,
    sheet: options.Sheet = None,
    settings: options.Settings = None,
    writer: asking.Writer = None,
    writer_back: asking.WriterBack = None,
    writer_model: asking.WriterModel = None,
    writer_key: asking.WriterKey = None,
    writer_temperature: asking.WriterTemperature = None,
    writer_tokens: asking.WriterTokens = None,
    writer_body: asking.WriterBody = None,
    writer_at_once: asking.WriterAtOnce = None,
    budget_requests: asking.BudgetRequests = None,
    budget_tokens: asking.BudgetTokens = None,
    budget_money: asking.BudgetMoney = None,
    prices: asking.PricesOfTokens = None,
    cache: asking.Cache = None,
    send_personal_data: asking.SendPersonalData = False,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Make new training rows of those that there are; validation and test rows stay as they are."""
    from dataclasses import replace

    from supertune.config import Augmentation, Config, load_augmentation, parse_steps
    from supertune.console import Console, print_json
    from supertune.recipes.augment import augment as run_augment

    written = Path(data).suffix.lower() in (".yaml", ".yml")
    augmentation = load_augmentation(Path(data)) if written else Augmentation(Config())
    config = augmentation.config.with_values(
        row_values(
            None if written else data,
            text=text,
            label=label,
            pair=pair,
            task=task,
            sheet=sheet,
            on_bad_row=on_bad_row,
            settings=settings,
            data__validation=validation,
            data__test=test,
            model__name=model,
        )
    )
    amount = {"copies": copies, "balance": balance or None, "rows_per_class": rows_per_class}
    given = {name: value for name, value in amount.items() if value is not None}
    augmentation = replace(
        augmentation,
        config=config,
        augmenters=parse_steps(by, "--by") if by else augmentation.augmenters,
        amount={**augmentation.amount, **given},
        protect={**augmentation.protect, **({"patterns": protect} if protect else {})},
        seed=augmentation.seed if seed is None else seed,
        keep_labels=augmentation.keep_labels or keep_labels,
    )
    who = asking.writer_choices(
        writer,
        back=writer_back,
        model=writer_model,
        key=writer_key,
        temperature=writer_temperature,
        tokens=writer_tokens,
        body=writer_body,
        at_once=writer_at_once,
        requests=budget_requests,
        budget_tokens=budget_tokens,
        money=budget_money,
        prices=prices,
        cache=cache,
        personal_data=send_personal_data,
    )
    made = run_augment(
        augmentation,
        out=out,
        wanted=file_format,
        writer=who,
        measure=measure,
        console=Console(quiet=quiet),
    )
    if json:
        print_json(made.as_dict())

"""Use on your own parts: ``python -m anomalylib fit``, then ``inspect``.

``inspect --watch`` scores what comes into a folder, ``calibrate`` sets another
threshold, ``export`` writes the detector as ONNX.
"""

import argparse
import math
import sys
from pathlib import Path

import anomalylib as al
from anomalylib.detectors.registry import DETECTORS
from anomalylib.errors import UserError, first_line
from anomalylib.files import written_whole


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return its exit code. A user's error is one line."""
    options = _parser().parse_args(arguments)
    try:
        return options.run(options)
    except (UserError, OSError) as error:
        print(f"error: {first_line(error)}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("stopped: nothing half-written is left", file=sys.stderr)
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m anomalylib", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="fit | inspect | calibrate | export")

    def command(run, text: str) -> argparse.ArgumentParser:
        added = commands.add_parser(run.__name__.strip("_"), help=text, description=text)
        added.set_defaults(run=run)
        added.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 or mps")
        added.add_argument("--weights", default="", help="the backbone's file, if it is your own")
        return added

    fit = command(_fit, "learn from a folder of normal images; write a detector file")
    fit.add_argument("folder", type=Path, help="with normal, or train/good and test, in it")
    fit.add_argument("--detector", required=True, help="file to write, ….safetensors")
    fit.add_argument("--model", default="combined", choices=list(DETECTORS))
    fit.add_argument("--backbone", default="auto", help="auto or a backbone's name")
    fit.add_argument("--layers", default="", help="names, with commas")
    fit.add_argument("--image-size", type=int, help="pixels a side; default: the model's own")
    fit.add_argument("--seed", type=int, default=0, help="of every random choice")

    inspect = command(_inspect, "score images with a detector file")
    inspect.set_defaults(refuse=inspect.error)
    inspect.add_argument("images", nargs="*", help="files or folders")
    inspect.add_argument("--detector", required=True, help="file that fit has written")
    inspect.add_argument("--threshold", type=float, help="in place of the detector's own")
    inspect.add_argument("--json", action="store_true", help="print JSON, not a table")
    inspect.add_argument("--csv", default="", help="write the table to this file")
    inspect.add_argument("--html", default="", help="write a report with images to this file")
    inspect.add_argument("--watch", type=Path, help="folder; score what comes into it, until ended")
    inspect.add_argument("--record", type=Path, help="of --watch: inspected.jsonl in the folder")
    inspect.add_argument("--every", type=float, default=0.5, help="seconds between looks: 0.5")
    inspect.add_argument("--patience", type=float, default=5.0, help="seconds for half a file: 5")

    calibrate = command(_calibrate, "set a detector's threshold by normal images of your own")
    calibrate.add_argument("images", nargs="+", help="normal images it has not learned from")
    calibrate.add_argument("--detector", required=True, help="file that fit has written")
    calibrate.add_argument("--output", required=True, help="file to write; may be the same")
    calibrate.add_argument(
        "--rule", default="conformal", choices=["conformal", "quantile", "sigma"]
    )
    calibrate.add_argument("--rate", type=float, default=0.05, help="false alarms aimed at: 0.05")
    calibrate.add_argument("--sigma", type=float, default=3.0, help="deviations above the mean: 3")

    export = command(_export, "write a detector file as ONNX, for programs without this library")
    export.add_argument("--detector", required=True, help="file that fit has written")
    export.add_argument("--output", required=True, help="file to write, ….onnx")
    return parser


def _fit(options: argparse.Namespace) -> int:
    """Learn from the normal images of a folder, and say what came of it."""
    from anomalylib.devices import describe_device

    folder = options.folder.resolve()
    parts = al.load_category(folder.parent, folder.name)
    kind, settings = DETECTORS[options.model], {"seed": options.seed}
    if hasattr(kind, "IMAGE_SIZE"):
        backbone = al.resolve_backbone(options.backbone, options.weights, options.layers)
        print(f"backbone: {backbone}")
        size = options.image_size or kind.IMAGE_SIZE
        features = al.FeatureExtractor(backbone, image_size=size, device=options.device)
        detector = kind(features, **settings)
    else:
        side = {"side": options.image_size} if options.image_size else {}
        detector = kind(**settings | side, device=options.device)
    print(f"device: {describe_device(detector.device_)}")
    detector.fit(parts.train)
    if parts.validation:
        scores = detector.score_samples(parts.validation)
        detector.calibrate(al.MeanPlusSigma(sigma=detector.sigma), scores)
    path = al.save(detector, options.detector)
    above, labels = detector.predict(parts.test), parts.test.labels
    print(f"learned from {len(parts.train)} normal images of {folder}")
    print(f"threshold {detector.threshold_:.4g}, {detector.rule_.origin}")
    for label, name in enumerate(("normal images that were held out", "anomalous images")):
        if (labels == label).any():
            print(f"above it: {above[labels == label].sum()} of {(labels == label).sum()} {name}")
    for name in parts.unused:
        print(f"not used: {name}", file=sys.stderr)
    print(path)
    return 0


def _inspect(options: argparse.Namespace) -> int:
    """Score images; 0 where all are normal, 1 where one is not, 2 where one is unreadable."""
    if options.watch:
        return _watch(options)
    if not options.images:
        options.refuse("the following arguments are required: images, or --watch")
    if options.record:
        raise UserError("--record goes with --watch: use --json or --csv for the images named")
    from anomalylib.deploy import inspect as inspection
    from anomalylib.deploy.report import write_report

    paths = inspection.images_of(options.images)  # may complain: before the backbone is loaded
    detector = _loaded(options)
    findings = al.inspect(detector, paths)
    table = inspection.as_table(findings)
    if options.csv:
        with written_whole(Path(options.csv)) as beside:
            table.to_csv(beside, index=False)
    if options.html:
        write_report(detector, findings, options.html)
    if options.json:
        print(inspection.as_json(findings))
    else:
        print(table[["decision", "score", "threshold", "image"]].to_string(index=False))
        print(inspection.summary(findings))
    for finding in findings:
        if finding.reason:
            print(f"error: {finding.reason}", file=sys.stderr)
    _remind(detector)
    decisions = {finding.decision for finding in findings}
    return 2 if inspection.UNREADABLE in decisions else int(inspection.ANOMALOUS in decisions)


def _watch(options: argparse.Namespace) -> int:
    """Score what comes into a folder until a signal ends it; then 128 and the signal's number."""
    for name in ("images", "json", "csv", "html"):
        if getattr(options, name):
            raise UserError(f"--watch writes one line an image of its folder: leave out {name}")
    if not (0 < options.every < math.inf and 0 <= options.patience < math.inf):
        raise UserError("--every and --patience are numbers of seconds: give some above 0")
    from anomalylib.deploy import watch

    folder, count = options.watch, 0
    record = (options.record or folder / "inspected.jsonl").resolve()
    with watch.held(folder, record) as file, watch.asked_to_end() as asked:
        detector = _loaded(options)
        _remind(detector)
        times = watch.looks(options.every, asked)
        for line in watch.lines(detector, folder, file, times, options.patience):
            print(line, flush=True)
            count += 1
            if asked:
                break
    print(f"stopped: {count} images scored", file=sys.stderr)
    return 128 + asked[0] if asked else 0


def _loaded(options: argparse.Namespace):
    """The detector, with the threshold that is given."""
    detector = al.load(options.detector, options.weights, options.device)
    if options.threshold is not None:
        detector.calibrate(al.Given(options.threshold))
    return detector


def _calibrate(options: argparse.Namespace) -> int:
    """Set the threshold from the scores of normal images, all of which must be readable."""
    from anomalylib.deploy import inspect as inspection

    rate = options.rate
    rules = {"conformal": al.Conformal(alpha=rate), "quantile": al.Quantile(share=1 - rate)}
    rule = (rules | {"sigma": al.MeanPlusSigma(sigma=options.sigma)})[options.rule]
    paths = inspection.images_of(options.images)
    detector = al.load(options.detector, options.weights, options.device)
    findings = al.inspect(detector, paths)
    for finding in findings:
        if finding.reason:
            raise UserError(finding.reason)
        if finding.distance < inspection.SAME:
            again = f"{finding.path} shows what {finding.nearest_name} shows, a training image"
            raise UserError(f"{again}: give images that it has not learned from")
    before = detector.threshold_
    detector.calibrate(rule, [finding.score for finding in findings])
    above = sum(finding.score > detector.threshold_ for finding in findings)
    print(f"threshold {detector.threshold_:.4g}, {detector.rule_.origin}; before {before:.4g}")
    print(f"above it: {above} of these {len(findings)}")
    print(al.save(detector, options.output))
    _remind(detector)
    return 0


def _export(options: argparse.Namespace) -> int:
    detector = al.load(options.detector, options.weights, "cpu")
    print(al.to_onnx(detector, options.output))
    _remind(detector)
    return 0


def _remind(detector) -> None:
    """Repeat what was found out about the detector's training images."""
    for remark in detector.remarks_:
        print(f"remember: {remark}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

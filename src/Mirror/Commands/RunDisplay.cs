using System.CommandLine;
using Mirror.Administration;
using Mirror.Configuration.Reading;
using Spectre.Console;

namespace Mirror.Commands;

/// <summary>
/// Shows runs as they go on: on a terminal a bar for each job below the lines that stay; else the lines alone.
/// </summary>
internal sealed class RunDisplay
{
    private readonly Dictionary<string, Bar> _bars = new(StringComparer.Ordinal);
    private readonly Action<string> _write;
    private readonly ProgressContext? _live;
    private readonly int _width;

    private RunDisplay(Action<string> write, ProgressContext? live, int width) => (_write, _live, _width) = (write, live, width);

    /// <param name="streams">The command's.</param>
    /// <param name="isQuiet">Whether there are to be no lines: standard output is for something else.</param>
    /// <param name="follow">Shows one line after the other.</param>
    public static Task ShowAsync(InvocationConfiguration streams, bool isQuiet, Func<RunDisplay, Task> follow)
    {
        var isOutputLive = ReferenceEquals(streams.Output, Console.Out) && !Console.IsOutputRedirected && !isQuiet;
        var isErrorLive = ReferenceEquals(streams.Error, Console.Error) && !Console.IsErrorRedirected;
        if (!isOutputLive && !isErrorLive)
        {
            return follow(new RunDisplay(isQuiet ? _ => { } : streams.Output.WriteLine, live: null, width: 0));
        }

        // Lines that stay and bars that change share one terminal: then they share one console, which keeps them apart.
        var console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Out = new AnsiConsoleOutput(isOutputLive ? Console.Out : Console.Error),
            Interactive = InteractionSupport.Yes,
        });
        Action<string> write = isQuiet ? _ => { }
            : isOutputLive ? line => console.WriteLine(line)
            : streams.Output.WriteLine;
        return console.Progress()
            .AutoClear(true)
            .Columns(new SpinnerColumn(), new ProgressBarColumn { Width = 20 }, new TaskDescriptionColumn { Alignment = Justify.Left })
            .StartAsync(live => follow(new RunDisplay(write, live, console.Profile.Width)));
    }

    public void Show(SyncRunLine line)
    {
        if (line.Followed is { Joined: true } followed)
        {
            _write($"{followed.Job}: runs already, and is followed");
        }

        if (line.Image is { Error: null } image)
        {
            _write(Text(image));
        }

        if (line.Followed?.Job is { } job && _live is not null)
        {
            _bars[job] = new Bar(_live.AddTask(Markup.Escape($"{job}: looks what there is to do"), maxValue: 1), _width);
        }

        if (line.Progress is { } progress && _bars.TryGetValue(progress.Job, out var bar))
        {
            bar.Show(progress);
        }

        if (line.Report is { } report && _bars.TryGetValue(report.Run.Job, out var ended))
        {
            ended.End();
        }
    }

    private static string Text(SyncedImage image)
    {
        var (source, target) = ($"{image.Repository}:{image.Tag}", $"{image.Target}:{image.Tag}");
        return Printable.Sentence(image.Action switch
        {
            "copy" => $"{image.Job}: copied {source} to {target}",
            "update" => $"{image.Job}: updated {target} from {source}",
            "delete" => $"{image.Job}: deleted {target}",
            _ => $"{image.Job}: {image.Action} {source}",
        });
    }

    /// <summary>What a job's bar shows.</summary>
    private sealed class Bar(ProgressTask task, int width)
    {
        /// <summary>How much the last moments count for the speed that is shown.</summary>
        private const double Weight = 0.2;

        /// <summary>The bar itself, what turns before it, and gaps.</summary>
        private const int BarWidth = 26;

        private readonly long _started = TimeProvider.System.GetTimestamp();
        private (long At, long Bytes) _last = (TimeProvider.System.GetTimestamp(), 0);
        private double? _speed;

        public void Show(SyncProgress progress)
        {
            var now = TimeProvider.System.GetTimestamp();
            var seconds = TimeProvider.System.GetElapsedTime(_last.At, now).TotalSeconds;
            if (seconds > 0)
            {
                var speed = (progress.Bytes - _last.Bytes) / seconds;
                _speed = _speed is { } before ? before + (Weight * (speed - before)) : speed;
                _last = (now, progress.Bytes);
            }

            if (progress.AllImages is not { } all)
            {
                return;
            }

            task.MaxValue = Math.Max(all, 1);
            task.Value = progress.Images;
            string[] parts =
            [
                $"{progress.Job}: {progress.Images} of {all} images",
                $"{Bytes.Human(progress.Bytes)}, {Bytes.Human((long)(_speed ?? 0))}/s",
                Left(progress.Images, all, now),
                progress.Blobs > 0 ? $"{progress.Blobs} blobs sent" : "",
                progress.Mounted > 0 ? $"{progress.Mounted} mounted" : "",
            ];
            task.Description = Markup.Escape(Fitting(parts.Where(part => part.Length > 0)));
        }

        /// <summary>As many of them as there is room for, the first in any case.</summary>
        private string Fitting(IEnumerable<string> parts) => parts.Aggregate(
            (text, part) => text.Length + part.Length + 2 <= width - BarWidth ? $"{text}, {part}" : text);

        public void End()
        {
            task.Value = task.MaxValue;
            task.StopTask();
        }

        /// <summary>As long as the others took, which is all that is known of those that are still to come.</summary>
        private string Left(int done, int all, long now) => done > 0 && done < all
            ? $"about {Elapsed.Human(TimeProvider.System.GetElapsedTime(_started, now) / done * (all - done))} left"
            : "";
    }
}

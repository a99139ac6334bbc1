using System.CommandLine;
using Mirror.Configuration;
using Mirror.Configuration.Distribution;
using Mirror.Configuration.Reading;

namespace Mirror.Commands;

/// <summary><c>mirror config adopt</c>: the configuration of a <c>registry:2</c>, as mirror.yml.</summary>
internal static class ConfigAdoptCommand
{
    private const int MaxSize = 1024 * 1024;

    public static Command Create()
    {
        var file = new Argument<string?>("FILE")
        {
            Description = "The other registry's config.yml. Without it: the one that REGISTRY_CONFIGURATION_PATH names, or what the image has "
                + "by itself.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        var output = new Option<string?>("--output", "-o")
        {
            Description = "Write to this new file, which only its owner can read, instead of standard output.",
            HelpName = "FILE",
        };
        var adopt = new DetailedCommand(
            "adopt",
            "Translate the configuration of a registry:2 (CNCF Distribution) into mirror.yml.",
            """
            Variables of the environment whose names begin with REGISTRY_ count as they do there: in the container of
            the other registry, `env` prints them.

            What has no counterpart is named on standard error and in comments at the end of the file, each with its
            place and what to do instead. A password of proxy is in the file as it was there.

            `mirror adopt` takes over the images.

            Exits with 0 if all was translated that anybody could miss, 3 if not, 2 if the file can not be read, and
            1 if the new one can not be written.
            """)
        { file, output };
        adopt.SetAction(invocation => Adopt(
            invocation.GetValue(file), invocation.GetValue(output), GlobalOptions.EnvironmentVariables(), invocation.InvocationConfiguration));
        return adopt;
    }

    private static int Adopt(string? file, string? output, IReadOnlyDictionary<string, string> environment, InvocationConfiguration streams)
    {
        file ??= environment.GetValueOrDefault(DistributionSettings.FileVariable);
        var source = file ?? DistributionSettings.DefaultSource;
        var text = file is null ? Parsed.Right(DistributionSettings.DefaultText) : TextFile.Read(Directory.GetCurrentDirectory(), file, MaxSize);
        var faults = new List<ConfigurationFault>();
        if (text.Fault is not null)
        {
            faults.Add(new ConfigurationFault(new FaultPlace(source), string.Empty, text.Fault));
        }

        var settings = text.Fault is null ? DistributionSettings.Read(text.Value, source, environment, faults) : [];
        if (faults.Count > 0)
        {
            faults.ForEach(fault => streams.Error.WriteLine(fault));
            return ExitCode.Misused;
        }

        var (yaml, untranslated) = Translation.Of(settings, source);
        try
        {
            Write(yaml, output, streams.Output);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
        {
            streams.Error.WriteLine($"mirror: {Printable.Sentence(e.Message)}");
            return ExitCode.Failed;
        }

        var lost = untranslated.Where(one => one.IsLost).Select(one => $"{one}").Distinct().ToList();
        lost.ForEach(line => streams.Error.WriteLine(line));
        return lost.Count > 0 ? ExitCode.Partly : ExitCode.Done;
    }

    private static void Write(string yaml, string? path, TextWriter output)
    {
        if (path is null)
        {
            output.Write(yaml);
            return;
        }

        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using var file = new StreamWriter(path, options);
        file.Write(yaml);
    }
}

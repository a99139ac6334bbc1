using Mirror.AcceptanceTests.Programs;

namespace Mirror.AcceptanceTests;

/// <summary>A test that needs programs which are not part of Mirror; where one is missing it is skipped, and says which.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FactWithAttribute : FactAttribute
{
    /// <param name="programs">Their names, as they are found in PATH.</param>
    public FactWithAttribute(params string[] programs)
    {
        Programs = programs;
        Skip = WhyNot();
    }

    public IReadOnlyList<string> Programs { get; }

    /// <summary>Whether the programs work only for root.</summary>
    public bool AsRoot
    {
        get;
        set
        {
            field = value;
            Skip = WhyNot();
        }
    }

    /// <summary>Whether the test looks at a program's system calls, which not every machine allows.</summary>
    public bool Traces
    {
        get;
        set
        {
            field = value;
            Skip = WhyNot();
        }
    }

    /// <summary>Whether the test looks at what files are in the kernel's memory, which it has to be able to say.</summary>
    public bool AsksForPages
    {
        get;
        set
        {
            field = value;
            Skip = WhyNot();
        }
    }

    /// <summary>Whether the test takes minutes: it runs only where MIRROR_LONG is set.</summary>
    public bool IsLong
    {
        get;
        set
        {
            field = value;
            Skip = WhyNot();
        }
    }

    /// <summary>Whether the test needs an address that other machines could reach.</summary>
    public bool OnNetwork
    {
        get;
        set
        {
            field = value;
            Skip = WhyNot();
        }
    }

    internal static bool IsInPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Any(folder => File.Exists(Path.Combine(folder, program)));

    private string? WhyNot() =>
        Programs.Where(program => !IsInPath(program)).ToList() is { Count: > 0 } missing ? $"not installed: {string.Join(", ", missing)}"
        : AsRoot && !Environment.IsPrivilegedProcess ? $"{string.Join(" and ", Programs)} must run as root"
        : Traces && !SystemCalls.CanBeTraced() ? "this machine lets no program trace another (ptrace)"
        : AsksForPages && (!OperatingSystem.IsLinux() || Environment.OSVersion.Version < new Version(6, 5)) ? "this kernel has no cachestat(2): Linux 6.5"
        : IsLong && Environment.GetEnvironmentVariable("MIRROR_LONG") is null ? "takes minutes: ./test.sh --long"
        : OnNetwork && OwnAddress.Find() is null ? "this machine has no address but loopback"
        : null;
}

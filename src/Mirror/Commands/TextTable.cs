using System.Text;

namespace Mirror.Commands;

/// <summary>
/// Rows in aligned columns. Rows are written in blocks, and a block's columns are at least as wide as those before: so a table of any
/// length is aligned without being kept.
/// </summary>
internal sealed class TextTable(TextWriter output, params IReadOnlyList<Column> columns)
{
    private const int Block = 500;
    private const string Gap = "  ";

    private readonly List<IReadOnlyList<string>> _rows = [[.. columns.Select(column => column.Title)]];
    private readonly int[] _widths = new int[columns.Count];

    public async Task AddAsync(params IReadOnlyList<string> cells)
    {
        _rows.Add(cells);
        if (_rows.Count == Block)
        {
            await FlushAsync();
        }
    }

    public async Task FlushAsync()
    {
        var text = new StringBuilder();
        for (var column = 0; column < columns.Count; column++)
        {
            _widths[column] = _rows.Aggregate(_widths[column], (width, row) => Math.Max(width, row[column].Length));
        }

        foreach (var row in _rows)
        {
            text.Append(string.Join(Gap, row.Select(Pad)).TrimEnd()).Append('\n');
        }

        _rows.Clear();
        await output.WriteAsync(text.ToString());
    }

    private string Pad(string cell, int column) =>
        columns[column].IsNumber ? cell.PadLeft(_widths[column]) : cell.PadRight(_widths[column]);
}

/// <param name="Title">In its first row.</param>
/// <param name="IsNumber">Aligned to the right.</param>
internal sealed record Column(string Title, bool IsNumber = false);
